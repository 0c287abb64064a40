"""What people and scripts see: progress, tables and JSON documents."""
