"""Records checked: the native core against what R said, and today's R against what it said then."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..check.crosscheck import crosscheck
from ..check.distance import largest, relative_difference
from ..check.findings import FAILURE, NOTE, OK, UNCHECKED, Finding
from ..check.tolerances import DRIFT
from ..datasets.sources import sha256
from ..errors import InformationError, LmeInfoUnsupported, RBridgeError, RecordError
from ..fit.components import Fit
from ..fit.lmeinfo import LmeInfo
from .record import NamedValues, Record, RecordFile, answers, read_record
from .run import Outcome, failed, fit_case, judged

MADE_BY = ("R", "nlme", "lmeInfo")  # whose versions make a difference a drift


class RecordedLmeInfo(LmeInfo):
    """What lmeInfo said when the record was made."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.snapshot, None)
        self._answers = record.answers

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        found = self._answers[type]
        if isinstance(found, str):
            raise LmeInfoUnsupported(found)
        return found.matrix()

    def extract_varcomp(self) -> pd.Series:
        found = self._answers["varcomp"]
        assert isinstance(found, NamedValues)
        return found.vector()


def check_record(file: RecordFile) -> Outcome:
    """The native core against the record and, if asked for, today's R against it."""
    start = time.perf_counter()
    try:
        record = read_record(file.path)
        fit = Fit(record.snapshot)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check = crosscheck(fit, RecordedLmeInfo(record))
        findings = [*check.findings, *(_today if file.with_r else _data)(record, fit)]
    except RBridgeError as error:
        return failed(file, error)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        # the format is right, and yet the parts contradict each other
        return failed(file, RecordError(f"{file.path}: does not hold together ({error!r})"))
    return Outcome(
        record.name,
        file.where,
        check.title,
        judged(findings, record.case.tolerance, record.case.expect),
        check.table,
        check.provenance,
        time.perf_counter() - start,
    )


def _data(record: Record, _: Fit) -> list[Finding]:
    """Whether the data are still those of the record; without R they may well be elsewhere."""
    try:
        found = sha256(record.case.data, record.case.folder)
    except RBridgeError as error:
        return [Finding("data", NOTE, None, f"not looked at: {error}")]
    if found == record.sha256:
        return []
    text = f"{record.case.data} has changed since the record (SHA-256): record again"
    return [Finding("data", UNCHECKED, None, text)]


def _today(record: Record, then: Fit) -> Iterator[Finding]:
    """Today's R against the record, quantity by quantity."""
    if changed := _data(record, then):
        yield from changed
        return
    try:
        fit = fit_case(record.case)
        now = answers(fit)
    except RBridgeError as error:
        yield Finding("fit", UNCHECKED, None, f"today's R: {error}")
        return
    who = between(then.provenance, fit.provenance)
    for name in DRIFT:
        yield drift(name, record.answers[name], now[name], _scale(name, record, then), who)


def between(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which two installations a difference lies between, in words."""
    moved = [name for name in MADE_BY if then.get(name) != now.get(name)]
    if not moved:
        return f"the same R {now['R']} and nlme {now['nlme']} as in the record"
    names = ["R", "nlme", *(["lmeInfo"] if "lmeInfo" in moved else [])]
    old, new = (", ".join(f"{n} {p.get(n) or 'absent'}" for n in names) for p in (then, now))
    return f"drift from {old} (recorded) to {new} (today)"


def _scale(name: str, record: Record, fit: Fit) -> NDArray[np.float64] | None:
    """Standard errors that the differences of a vector are measured in; None: relative."""
    if name in ("fixef", "std.error"):
        return fit.snapshot.std_error
    if name == "Pars":
        apvar = record.answers["apVar"]
        return None if isinstance(apvar, str) else np.sqrt(np.diag(apvar.values))
    if name == "varcomp":
        try:
            return np.asarray(fit.varcomp_vcov("expected").se)
        except InformationError:
            return None
    return None


def drift(
    name: str,
    then: NamedValues | str,
    now: NamedValues | str,
    scale: NDArray[np.float64] | None,
    who: str,
) -> Finding:
    """One quantity, recorded and today; ``scale`` as for :func:`distance`."""
    if isinstance(then, str) or isinstance(now, str):
        if isinstance(then, str) and isinstance(now, str):
            return Finding(name, NOTE, None, f"no answer, then or now: {now}")
        told = [a if isinstance(a, str) else "an answer" for a in (then, now)]
        return Finding(name, FAILURE, None, f"recorded: {told[0]}; today: {told[1]}; {who}")
    if then.names != now.names:
        text = f"recorded for {', '.join(then.names)}; today for {', '.join(now.names)}; {who}"
        return Finding(name, FAILURE, None, text)
    size, limit = distance(now, then, scale), DRIFT[name].value
    if size <= limit:
        return Finding(name, OK, size, f"today as recorded, to {size:.1g}")
    return Finding(name, FAILURE, size, f"{size:.2g} apart, more than {limit:g}: {who}")


def distance(
    now: NamedValues, then: NamedValues, scale: NDArray[np.float64] | None = None
) -> float:
    """Largest difference: of a vector relative or in units of scale, of a matrix by diagonal."""
    if then.values.ndim == 2:
        return relative_difference(now.matrix(), then.matrix())
    unit = np.abs(then.values) if scale is None else scale
    return largest(now.values - then.values, unit)
