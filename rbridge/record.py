"""Records: R's answers about a suite, kept as readable JSON with where they came from.

A record holds what R said (the answers) and the snapshot of the fit, from which the native core
computes the same without R.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .core.snapshot import ApVar, FitSnapshot
from .crosscheck import crosscheck
from .data_files import is_shipped, sha256
from .errors import InformationError, LmeInfoUnsupported, RBridgeError, RecordError, RPackageError
from .findings import FAILURE, NOTE, OK, UNCHECKED, Finding
from .json_text import dumps
from .results import LmeInfo, LmeResults
from .suite import Case
from .suite_run import Outcome, failed, fit_case, judged
from .tolerances import DRIFT

FORMAT = 1
MADE_BY = ("R", "nlme", "lmeInfo")  # whose versions make a difference a drift
INFORMATION = ("expected", "average")


@dataclass(frozen=True)
class Answer:
    """One quantity by name: a vector (r,) or a symmetric matrix (r, r)."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


Answers = dict[str, "Answer | str"]  # a text says why there is none


def answers(fit: LmeResults) -> Answers:
    """What R says about a fit, in the words of :data:`rbridge.tolerances.DRIFT`.

    ``expected`` and ``average`` are lmeInfo's Fisher informations.
    """
    snap, names = fit.snapshot, fit.snapshot.coef_names
    found: Answers = {
        "logLik": Answer(("logLik",), np.array([snap.log_lik])),
        "fixef": Answer(names, snap.beta),
        "std.error": Answer(names, snap.std_error),
        "varcomp": Answer(tuple(fit.varcomp.index), fit.varcomp.to_numpy()),
    }
    apvar = snap.apvar
    if isinstance(apvar, ApVar):
        found["Pars"] = Answer(apvar.names, apvar.pars)
        found["apVar"] = Answer(apvar.names, apvar.cov)
    else:
        found["Pars"] = found["apVar"] = apvar.reason
    for kind in INFORMATION:
        try:
            matrix = fit.lmeinfo.fisher_info(kind)
            found[kind] = Answer(tuple(matrix.index), matrix.to_numpy())
        except LmeInfoUnsupported as error:
            found[kind] = str(error)
    return found


# --- writing ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """One model to record.

    Attributes
    ----------
    case : Case
    folder : Path
        Where the record goes, as ``<name>.json``.
    command : str
    """

    case: Case
    folder: Path
    command: str

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def where(self) -> str:
        return self.case.where


def record(item: Recording) -> Outcome:
    """Fit a model, ask R everything and write the record; nothing is written where R fails."""
    start = time.perf_counter()
    try:
        fit = fit_case(item.case)
        text = dumps(_content(item, fit))
    except RBridgeError as error:
        return failed(item, error)
    path = item.folder / f"{item.name}.json"
    path.write_text(text, encoding="utf-8")
    said = Finding("record", OK, None, f"written to {path}")
    seconds = time.perf_counter() - start
    return Outcome(item.name, item.where, item.name, (said,), None, fit.provenance, seconds)


def _content(item: Recording, fit: LmeResults) -> dict[str, Any]:
    case = item.case
    place = (
        case.data
        if is_shipped(case.data)
        else os.path.relpath(case.folder / case.data, item.folder)
    )
    return {
        "format": FORMAT,
        "name": case.name,
        "command": item.command,
        "provenance": fit.provenance,
        "data": {
            "data": place,
            "category": list(case.category),
            "sha256": sha256(case.data, case.folder),
            "rows": fit.nobs,
        },
        "tolerance": dict(case.tolerance),
        "expect": dict(case.expect),
        "answers": {name: _plain(answer) for name, answer in answers(fit).items()},
        **fit.snapshot.to_dict(),
    }


def _plain(answer: Answer | str) -> Any:
    if isinstance(answer, str):
        return answer
    return {"names": list(answer.names), "values": answer.values.tolist()}


# --- reading ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A record as read.

    Attributes
    ----------
    path : Path
    case : Case
    sha256 : str
    answers : mapping of quantity to Answer, or to why there is none
    snapshot : FitSnapshot
    with_r : bool
        Whether today's R is to be asked too.
    """

    path: Path
    case: Case
    sha256: str
    answers: Mapping[str, Answer | str]
    snapshot: FitSnapshot
    with_r: bool = True

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def where(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class RecordFile:
    """A record not yet read; so that a bad file costs its own model only."""

    path: Path
    with_r: bool

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def where(self) -> str:
        return str(self.path)


def record_files(folder: Path, with_r: bool) -> tuple[RecordFile, ...]:
    """The records of a folder.

    Raises
    ------
    RecordError
        There is none.
    """
    found = tuple(RecordFile(path, with_r) for path in sorted(folder.glob("*.json")))
    if not found:
        raise RecordError(f"{folder}: there is no record (rbridge record --suite … -o {folder})")
    return found


def read_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    RecordError
        The file is no record, or its parts do not fit together.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (
            not isinstance(content, dict)
            or content.get("format") != FORMAT
            or "answers" not in content
        ):
            raise RecordError(f"not a record of format {FORMAT}")
        snapshot = FitSnapshot.from_dict(content)
        data = content["data"]
        case = Case(
            name=str(content["name"]),
            spec=LmeResults(snapshot).spec,
            data=str(data["data"]),
            folder=path.parent,
            category=tuple(data["category"]),
            tolerance=dict(content["tolerance"]),
            expect=dict(content["expect"]),
            where=str(path),
        )
        given = {name: _answer(name, content["answers"][name]) for name in DRIFT}
        return Record(path, case, str(data["sha256"]), given, snapshot)
    except (RBridgeError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"{path}: not a readable record: {what}") from None


def _answer(name: str, given: Any) -> Answer | str:
    if isinstance(given, str):
        return given
    values = np.array(given["values"], dtype=float)
    answer = Answer(tuple(map(str, given["names"])), values)
    if set(values.shape) != {len(answer.names)} or values.ndim > 2:
        raise RecordError(f"{name}: {len(answer.names)} names for values of shape {values.shape}")
    return answer


class RecordedLmeInfo(LmeInfo):
    """What lmeInfo said when the record was made."""

    def __init__(self, fit: LmeResults, record: Record) -> None:
        super().__init__(fit)
        self._answers = record.answers

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        found = self._answers[type]
        if isinstance(found, str):
            raise LmeInfoUnsupported(found)
        return pd.DataFrame(found.values, list(found.names), list(found.names))

    def extract_varcomp(self) -> pd.Series:
        found = self._answers["varcomp"]
        assert isinstance(found, Answer)
        return pd.Series(found.values, list(found.names), name="estimate")


# --- checking ---------------------------------------------------------------------------------


def check_record(file: RecordFile) -> Outcome:
    """The native core against the record and, if asked for, today's R against it."""
    start = time.perf_counter()
    try:
        record = replace(read_record(file.path), with_r=file.with_r)
        fit = LmeResults(record.snapshot)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check = crosscheck(fit, RecordedLmeInfo(fit, record))
        findings = [*check.findings, *(_today(record, fit) if record.with_r else ())]
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


def _today(record: Record, then: LmeResults) -> Iterator[Finding]:
    """Today's R against the record, quantity by quantity."""
    if sha256(record.case.data, record.case.folder) != record.sha256:
        text = f"{record.case.data} has changed since the record (SHA-256): record again"
        yield Finding("data", UNCHECKED, None, text)
        return
    try:
        fit = fit_case(record.case)
        now = answers(fit)
    except (RBridgeError, RPackageError) as error:
        yield Finding("fit", UNCHECKED, None, f"today's R: {error}")
        return
    who = _who(then.provenance, fit.provenance)
    for name in DRIFT:
        yield _drift(name, record.answers[name], now[name], _scale(name, record, then), who)


def _who(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Between which two the difference lies."""
    moved = [name for name in MADE_BY if then.get(name) != now.get(name)]
    if not moved:
        return f"the same R {now['R']} and nlme {now['nlme']} as in the record"
    names = ["R", "nlme", *(["lmeInfo"] if "lmeInfo" in moved else [])]
    old, new = (", ".join(f"{n} {p.get(n) or 'absent'}" for n in names) for p in (then, now))
    return f"drift from {old} (recorded) to {new} (today)"


def _scale(name: str, record: Record, fit: LmeResults) -> NDArray[np.float64] | None:
    """Standard errors that the differences of a vector are measured in; None: relative."""
    if name in ("fixef", "std.error"):
        return fit.snapshot.std_error
    if name == "Pars":
        apvar = record.answers["apVar"]
        return None if isinstance(apvar, str) else np.sqrt(np.diag(apvar.values))
    if name == "varcomp":
        try:
            return fit.varcomp_vcov("expected").se.to_numpy()
        except InformationError:
            return None
    return None


def _drift(
    name: str, then: Answer | str, now: Answer | str, scale: NDArray[np.float64] | None, who: str
) -> Finding:
    if isinstance(then, str) or isinstance(now, str):
        if isinstance(then, str) and isinstance(now, str):
            return Finding(name, NOTE, None, f"no answer, then or now: {now}")
        told = [a if isinstance(a, str) else "an answer" for a in (then, now)]
        return Finding(name, FAILURE, None, f"recorded: {told[0]}; today: {told[1]}; {who}")
    if then.names != now.names:
        text = f"recorded for {', '.join(then.names)}; today for {', '.join(now.names)}; {who}"
        return Finding(name, FAILURE, None, text)
    size, limit = distance(now.values, then.values, scale), DRIFT[name].value
    if size <= limit:
        return Finding(name, OK, size, f"today as recorded, to {size:.1g}")
    return Finding(name, FAILURE, size, f"{size:.2g} apart, more than {limit:g}: {who}")


def distance(
    now: NDArray[np.float64], then: NDArray[np.float64], scale: NDArray[np.float64] | None = None
) -> float:
    """Largest difference: of a vector in units of ``scale``, of a matrix by its diagonal."""
    if then.ndim == 2:
        root = np.sqrt(np.abs(np.diag(then)))
        unit = np.outer(root, root)
    else:
        unit = np.abs(then) if scale is None else np.asarray(scale)
    return float(np.max(np.abs(now - then) / np.where(unit == 0, 1.0, unit), initial=0.0))
