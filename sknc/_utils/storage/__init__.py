"""Files that are replaced as a whole, and arrays with a header in one file."""
