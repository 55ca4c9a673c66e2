"""What is made of a fit: derived quantities, intervals, tables, tests."""
