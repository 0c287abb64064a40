"""What directives do to loops; text to directives and back; replay; source and object code."""
