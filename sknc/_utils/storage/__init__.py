"""Files that are replaced atomically, and arrays with a header in one file."""
