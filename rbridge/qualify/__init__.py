"""Proof that an installation works: what is installed, that it works, that it meets what others published."""
