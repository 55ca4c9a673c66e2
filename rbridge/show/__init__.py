"""Tables and pictures, which know no result."""
