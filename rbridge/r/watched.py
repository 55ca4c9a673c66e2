"""Which of R's models nobody holds any more."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import partial

Model = tuple[int, int]  # its number, and of which generation of R


class Watched:
    """Models in R, each needed as long as its handle lives.

    Python drops what a finaliser raises, and a Ctrl-C is raised wherever Python runs next: in a
    ``weakref.finalize`` it would be lost. So what happens when a handle goes is C's alone.
    """

    def __init__(self) -> None:
        self._held: dict[Model, weakref.ref[object]] = {}
        self._left: dict[Model, weakref.ref[object]] = {}

    def add(self, handle: object, number: int, generation: int = 0) -> None:
        model = number, generation
        self._held[model] = weakref.ref(handle, partial(self._left.__setitem__, model))

    def left(self) -> Iterator[Model]:
        """Those whose handle has gone since this was last asked."""
        while self._left:
            model, _ = self._left.popitem()
            del self._held[model]
            yield model
