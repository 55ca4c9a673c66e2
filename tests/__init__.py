"""The tests: a folder for each room of the package; at the top, those of the whole."""
