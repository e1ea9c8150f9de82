"""What EHR systems write: bodies that are checked, and mapped to what the clinic keeps."""
