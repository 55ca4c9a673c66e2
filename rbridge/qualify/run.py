"""The qualification: everything looked at in order, and what came of it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..check.verdict import Verdict
from ..r.session import isolated_batch
from ..r.versions import installed
from .figures import PublishedFigures, load_figures
from .fits import FitStore, live, recorded
from .installation import PACKAGE, fingerprint, installation
from .operation import operation
from .performance import performance
from .proof import Proof


@dataclass(frozen=True)
class Qualification:
    """What was proved.

    Attributes
    ----------
    proofs : tuple of Proof
    with_r : bool
        Whether R was asked; else the fits are those that the package ships.
    about : dict of str to str
        When, where, by which rbridge.
    seconds : float or None
        How long it took; None where ``SOURCE_DATE_EPOCH`` asks for the same record each time.
    """

    proofs: tuple[Proof, ...]
    with_r: bool
    about: dict[str, str]
    seconds: float | None

    @property
    def code(self) -> Verdict:
        """Exit status: 1 where a number disagrees, else 2 where one was not checked, else 0."""
        return Verdict.worst(proof.verdict for proof in self.proofs if proof.verdict is not None)

    def of(self, section: str) -> tuple[Proof, ...]:
        """The proofs of a section."""
        return tuple(proof for proof in self.proofs if proof.section == section)


def qualify(
    *,
    with_r: bool = True,
    figures: PublishedFigures | None = None,
    tick: Callable[[Proof], object] = lambda proof: None,
) -> Qualification:
    """Prove an installation, its operation and its performance.

    Parameters
    ----------
    with_r : bool
        False: R is not started; the fits that the package ships are looked at, and what needs a
        running R is listed as not run.
    figures : PublishedFigures, optional
        By default those that the package ships.
    tick : callable
        Called with each proof as it comes.
    """
    start = time.perf_counter()
    figures = figures or load_figures()
    store = FitStore(figures, live(figures) if with_r else recorded)
    with isolated_batch() if with_r else nullcontext():
        proofs = tuple(_told(_all(store, with_r), tick))
    seconds: float | None = time.perf_counter() - start
    if _epoch():
        proofs, seconds = tuple(replace(proof, seconds=0.0) for proof in proofs), None
    return Qualification(proofs, with_r, _about(store, with_r), seconds)


def _epoch() -> str:
    """The moment of the sources, where whoever builds names one, as an image does."""
    return os.environ.get("SOURCE_DATE_EPOCH", "")


def _all(store: FitStore, with_r: bool) -> Iterator[Proof]:
    yield from installation(with_r)
    yield from operation(store, with_r)
    yield from performance(store)


def _told(proofs: Iterable[Proof], tick: Callable[[Proof], object]) -> Iterator[Proof]:
    for proof in proofs:
        tick(proof)
        yield proof


def _about(store: FitStore, with_r: bool) -> dict[str, str]:
    """The circumstances, for the head of a report."""
    found = {
        **_circumstances(),
        "rbridge": installed("rbridge"),
        "fingerprint": fingerprint(PACKAGE),
        "Python": platform.python_version(),
    }
    found |= {name: installed(name) for name in ("numpy", "scipy", "pandas", "rpy2")}
    found |= {name: store.provenance(name) for name in ("R", "nlme", "lmeInfo", "BLAS")}
    found["fits"] = "by this R" if with_r else "recorded with the R above and shipped"
    if commit := os.environ.get("GITHUB_SHA") or os.environ.get("CI_COMMIT_SHA"):
        found["commit"] = commit
    return {name: text for name, text in found.items() if text}


def _circumstances() -> dict[str, str]:
    """When and where; what another machine has too, where the record is to be the same there."""
    form = "%Y-%m-%d %H:%M UTC"
    if epoch := _epoch():
        moment = datetime.fromtimestamp(int(epoch), timezone.utc).strftime(form)
        return {
            "date": f"{moment} (of the sources)",
            "platform": f"{platform.system()} {platform.machine()}",
        }
    return {
        "date": datetime.now(timezone.utc).strftime(form),
        "machine": platform.node(),
        "platform": platform.platform(),
    }
