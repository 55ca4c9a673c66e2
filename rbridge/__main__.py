"""``python -m rbridge``."""

from .cli import main

main(prog_name="rbridge")
