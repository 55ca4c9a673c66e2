"""Records checked: the native core against what R said, and today's R against what it said then."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..check.crosscheck import crosscheck
from ..check.findings import FAILURE, NOTE, UNCHECKED, WARNING, Finding
from ..check.tolerances import CHECK, DRIFT
from ..datasets.sources import load_data, sha256
from ..errors import DataError, InformationError, LmeInfoUnsupported, RBridgeError, RecordError
from ..fit.components import Fit
from ..fit.lmeinfo import LmeInfo
from .against import check_pair, check_unchanged
from .cases import Case
from .data_print import COLUMNS, ROWS, SAME, VALUES, change, data_print
from .differences import NamedValues, compared
from .record import INFORMATION, Record, RecordFile, answers, of_snapshot, read_record
from .run import Outcome, data_told, explained, failed, fit_case, judged

WITHIN = 1e-8  # relative or in standard errors: one number written twice, or computed again
MADE_BY = ("R", "nlme", "lmeInfo", "BLAS")  # whose versions make a difference a drift
Findings = list[Finding]


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
        if isinstance(found, str):
            raise RecordError(f"varcomp: there is none: {found}")
        return found.vector()


def check_record(file: RecordFile) -> Outcome:
    """The native core against the record and, if asked for, today's R against it."""
    start = time.perf_counter()
    try:
        check_pair(file)
        record = read_record(file.path)
        check_unchanged(record.case, file)
        fit = Fit(record.snapshot)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check = crosscheck(fit, RecordedLmeInfo(record))
        case = _asked(record, file)
        findings = [*check.findings, *_within(record, fit), *_matrices(record, fit)]
        today: Mapping[str, str] = {}
        if file.with_r:
            more, today = _today(record, fit, case)
        else:
            more = list(_data_alone(record, case))
    except RBridgeError as error:
        return failed(file, error)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        # the format is right, and yet the parts contradict each other
        return failed(file, RecordError(f"{file.path}: does not hold together ({error!r})"))
    return Outcome(
        record.name,
        file.where,
        check.title,
        explained(judged([*findings, *more], case.tolerance, case.expect), check.table),
        check.table,
        check.provenance,
        time.perf_counter() - start,
        today,
        data_told(record.case.data, fit.nobs, record.sha256),
    )


def _asked(record: Record, file: RecordFile) -> Case:
    """The model to fit today: the suite's, which knows tolerances, exceptions and data of today."""
    case = file.case or record.case
    return case if file.engine is None else replace(case, engine=file.engine)


def _within(record: Record, fit: Fit) -> Iterator[Finding]:
    """The answers of a record against the snapshot that stands beside them."""
    tongues, where = ("in its answers", "in its snapshot"), "; the record contradicts itself"
    for name, there in of_snapshot(fit).items():
        told = record.answers[name]
        if isinstance(told, NamedValues) and isinstance(there, NamedValues):
            scale = _scale(name, record, fit)
            found = compared(name, told, there, WITHIN, scale=scale, tongues=tongues, where=where)
            if found.level == FAILURE:  # under a code of its own: no tolerance excuses it
                text = f"{name} {found.text}"
                yield Finding("record", FAILURE, None, text, found.parameters)
        elif told != there:
            said = (x if isinstance(x, str) else "numbers" for x in (told, there))
            both = ", ".join(f"{who}: {what}" for who, what in zip(tongues, said))
            yield Finding("record", FAILURE, None, f"{name} {both}{where}")


def _matrices(record: Record, fit: Fit) -> Iterator[Finding]:
    """lmeInfo's matrices that no covariance can be made of: is that the model, or the record?"""
    for kind in INFORMATION:
        told = record.answers[kind]
        if isinstance(told, str):
            continue
        if not np.isfinite(told.values).all():
            text = f"the recorded {kind} information of lmeInfo holds what is no number"
            yield Finding("record", FAILURE, None, f"{text}: record again", _not_finite(told))
        elif _least_root(told.values) <= 0:
            yield from _singular(kind, told, fit)


def _not_finite(told: NamedValues) -> tuple[str, ...]:
    return tuple(n for n, row in zip(told.names, told.values) if not np.isfinite(row).all())


def _least_root(matrix: NDArray[np.float64]) -> float:
    return float(np.min(np.linalg.eigvalsh(matrix), initial=np.inf))


def _singular(kind: str, told: NamedValues, fit: Fit) -> Iterator[Finding]:
    """A matrix that is not positive definite is right where the one computed here is the same."""
    matrix = fit.fisher_info(kind)
    here = NamedValues(tuple(matrix.index), matrix.to_numpy())
    tongues = ("recorded", "computed here")
    found = compared("record", told, here, CHECK["C"].value, tongues=tongues)
    if found.level == FAILURE:
        text = f"the recorded {kind} information of lmeInfo is not positive definite"
        yield Finding("record", FAILURE, None, f"{text}: {found.text}", found.parameters)


def data_change(record: Record, case: Case) -> tuple[str, str]:
    """How the data changed since the record, as :func:`change`; the first is empty if not at all.

    Raises
    ------
    DataError
        They cannot be read.
    RecordError
        What the record says of them is damaged.
    """
    if sha256(case.data, case.folder) == record.sha256:
        return "", ""
    if record.print is None:
        why = "an older record does not say in which columns"
        return VALUES, f"{case.data} has changed since the record (SHA-256; {why})"
    now = data_print(load_data(case.data, case.folder, case.category))
    used = [*case.spec.columns(), *case.spec.group_columns()]
    kind, words = change(record.print, now, used)
    return kind, f"{case.data} has changed since the record: {words}"


def _data_alone(record: Record, case: Case) -> Iterator[Finding]:
    """Whether the data are still those of the record; without R they may well be elsewhere."""
    try:
        kind, words = data_change(record, case)
    except RBridgeError as error:
        yield Finding("data", NOTE, None, f"not looked at: {error}")
        return
    if kind:
        again = ": record again" if kind == VALUES else ""
        yield Finding("data", _LEVELS[kind], None, f"{words}{again}")


_LEVELS = {SAME: NOTE, COLUMNS: NOTE, ROWS: WARNING, VALUES: UNCHECKED}


def _today(record: Record, then: Fit, case: Case) -> tuple[Findings, Mapping[str, str]]:
    """Today's R against the record, quantity by quantity; and what today's R is."""
    try:
        kind, words = data_change(record, case)
        fit = fit_case(case)
        now = answers(fit)
    except RBridgeError as error:
        what = "the data" if isinstance(error, (DataError, RecordError)) else "today's R"
        return [Finding("fit", UNCHECKED, None, f"{what}: {error}")], {}
    found = drifts(record, then, now, between(then.provenance, fit.provenance))
    if kind in (ROWS, VALUES):
        found = list(_of_other_data(kind, words, found))
    elif kind:
        found.append(Finding("data", _LEVELS[kind], None, words))
    return found, fit.provenance


def drifts(
    record: Record, then: Fit, now: Mapping[str, NamedValues | str], who: str = ""
) -> Findings:
    """Every quantity of a record against what is said today."""
    return [
        drift(name, record.answers[name], now[name], _scale(name, record, then), who)
        for name in DRIFT
    ]


def _of_other_data(kind: str, words: str, found: Findings) -> Iterator[Finding]:
    """Results of other data are no verdict on R: whether they moved is told beside the change."""
    moved = [f.code for f in found if f.level == FAILURE]
    told = f"the results moved ({', '.join(moved)})" if moved else "the results did not move"
    for finding in found:
        yield replace(finding, level=NOTE) if finding.level == FAILURE else finding
    level = UNCHECKED if moved else _LEVELS[kind]
    again = ": record again" if level == UNCHECKED else ""
    yield Finding("data", level, None, f"{words}; {told}{again}", tuple(moved))


def between(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which two installations a difference lies between, in words."""
    moved = [name for name in MADE_BY if then.get(name) != now.get(name)]
    if not moved:
        return f"the same R {now['R']} and nlme {now['nlme']} as in the record"
    names = ["R", "nlme", *(name for name in MADE_BY[2:] if name in moved)]
    old, new = (", ".join(f"{n} {p.get(n) or 'absent'}" for n in names) for p in (then, now))
    return f"drift from {old} (recorded) to {new} (today)"


def _scale(name: str, record: Record, fit: Fit) -> NDArray[np.float64] | None:
    """Standard errors that the differences of a vector are measured in; None: relative."""
    if name in ("fixef", "std.error"):
        return fit.snapshot.std_error
    if name == "Pars":
        apvar = record.answers["apVar"]
        return None if isinstance(apvar, str) else np.sqrt(np.abs(np.diag(apvar.values)))
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
    """One quantity, recorded and today; ``scale`` as for :func:`compared`, ``who`` may be empty."""
    between_whom = f"; {who}" if who else ""
    if isinstance(then, str) or isinstance(now, str):
        if isinstance(then, str) and isinstance(now, str):
            return Finding(name, NOTE, None, f"no answer, then or now: {now}")
        told = [a if isinstance(a, str) else "an answer" for a in (then, now)]
        return Finding(name, FAILURE, None, f"recorded: {told[0]}; today: {told[1]}{between_whom}")
    return compared(name, then, now, DRIFT[name].value, scale=scale, where=between_whom)
