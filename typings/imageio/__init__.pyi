"""Image files; the package ships types that are only half known."""
