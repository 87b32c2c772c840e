"""The pain analyses, one file each."""
