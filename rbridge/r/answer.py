"""What is asked of R and what it gives back, wherever it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Answer:
    """What one call gave: the plain value, and what R said on the way."""

    value: Any
    warnings: tuple[str, ...]
    messages: tuple[str, ...]


class RSession(Protocol):
    """What can be asked of R, wherever it runs.

    Attributes
    ----------
    generation : int
        Counts the R processes behind the session; numbers of models hold for one of them.
    steady : context manager
        Within it no other thread's call can move on to another generation.
    """

    generation: int
    steady: AbstractContextManager[Any]

    def call(self, name: str, *args: Any) -> Answer:
        """Call a function of the R files with plain arguments."""

    def watch(self, handle: object, number: int) -> None:
        """Release a fitted model with the first call after its handle is gone."""

    def close(self) -> None:
        """End R and remove its temporary directory."""
