"""What is given: pandas columns, their names, and the design they make."""
