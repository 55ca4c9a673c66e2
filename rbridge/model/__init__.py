"""What is asked for: formulas, structures, specs; the standard library alone."""
