"""Profile likelihoods of several quantities, one a task: over several processes if so wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Union

from ..core.intervals.profile import Curve, Profiler
from ..core.quantities.quantity import Quantity
from ..core.snapshot import FitSnapshot
from ..errors import RBridgeError
from .parallel import collect
from .progress import Progress


@dataclass(frozen=True)
class Profiled:
    """The curve of one quantity, or why there is none."""

    found: Union[Curve, RBridgeError]
    failures: int = 0

    @property
    def reason(self) -> str:
        return str(self.found) if isinstance(self.found, RBridgeError) else ""


class _Work:
    """The profiles of some quantities by number; in one process they share one maximum."""

    def __init__(self, snapshot: FitSnapshot, wanted: Mapping[str, Quantity], level: float) -> None:
        self._snapshot, self._wanted, self._level = snapshot, list(wanted.values()), level

    def __getstate__(self) -> dict[str, Any]:
        """Without the maximum: a worker finds it sooner than it would read it."""
        return {name: value for name, value in vars(self).items() if name != "_profiler"}

    @cached_property
    def _profiler(self) -> Profiler:
        return Profiler(self._snapshot)

    def curves(self, start: int, stop: int) -> list[Profiled]:
        return [self._curve(quantity) for quantity in self._wanted[start:stop]]

    def _curve(self, quantity: Quantity) -> Profiled:
        try:
            return Profiled(self._profiler.curve(quantity, self._level))
        except RBridgeError as error:
            return Profiled(error)


def profiles(
    snapshot: FitSnapshot,
    wanted: Mapping[str, Quantity],
    level: float,
    n_jobs: int | None = None,
    progress: Progress = True,
) -> dict[str, Union[Curve, RBridgeError]]:
    """The profile of each quantity, or why it has none; after Ctrl-C of those that were done.

    Parameters
    ----------
    snapshot : FitSnapshot
    wanted : mapping of a name to its quantity
    level : float
    n_jobs, progress
        As for :func:`rbridge.many.parallel.collect`.

    Raises
    ------
    KeyboardInterrupt
        Nothing was done yet.
    """
    work = _Work(snapshot, wanted, level)

    def task(start: int, stop: int) -> Any:
        return partial(work.curves, start, stop)

    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress}
    done, interrupted = collect(task, len(wanted), what="profiles", **run)
    if interrupted and not done:
        raise KeyboardInterrupt
    return {name: outcome.found for name, outcome in zip(wanted, done)}
