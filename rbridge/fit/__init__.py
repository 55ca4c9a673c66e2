"""What comes back from a fit: its numbers, by the names of statsmodels and nlme."""
