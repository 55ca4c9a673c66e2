"""The command line: every command is a function of the package and a way to print it."""

from .app import main

__all__ = ["main"]
