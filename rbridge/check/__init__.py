"""Is it right? Diagnosis, and the cross-check of independent answers."""
