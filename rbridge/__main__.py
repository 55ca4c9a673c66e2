"""``python -m rbridge``."""

from .cli.app import main

main(prog_name="rbridge")
