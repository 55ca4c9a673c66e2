"""Many fits: one for each group, outcome, spec or bootstrap replicate."""
