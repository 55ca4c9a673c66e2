"""Proof that an installation is whole, works, and meets what others have published."""
