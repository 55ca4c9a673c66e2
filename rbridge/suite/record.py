"""Records: R's answers about a suite, kept as readable JSON with where they came from.

A record holds what R said (the answers) and the snapshot of the fit, from which the native core
computes the same without R.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..check.findings import OK, Finding
from ..check.tolerances import DRIFT, is_tolerance
from ..core.snapshot import ApVar, FitSnapshot
from ..datasets.sources import is_shipped, load_data, sha256
from ..errors import LmeInfoUnsupported, RBridgeError, RecordError
from ..files import is_regular, write_whole
from ..fit.components import Fit
from .cases import Case
from .data_print import data_print
from .differences import NamedValues
from .json_text import dumps
from .run import Outcome, failed, fit_case

FORMAT = 1
INFORMATION = ("expected", "average")


Said = dict[str, "NamedValues | str"]  # a text says why there is none


def answers(fit: Fit) -> Said:
    """What R says about a fit, in the words of :data:`rbridge.check.tolerances.DRIFT`.

    ``expected`` and ``average`` are lmeInfo's Fisher informations.
    """
    found = of_snapshot(fit)
    for kind in INFORMATION:
        try:
            matrix = fit.lmeinfo.fisher_info(kind)
            found[kind] = NamedValues(tuple(matrix.index), matrix.to_numpy())
        except LmeInfoUnsupported as error:
            found[kind] = str(error)
    return found


def of_snapshot(fit: Fit) -> Said:
    """The answers that stand in a snapshot: all but lmeInfo's."""
    snap, names = fit.snapshot, fit.snapshot.coef_names
    found: Said = {
        "logLik": NamedValues(("logLik",), np.array([snap.log_lik])),
        "fixef": NamedValues(names, snap.beta),
        "std.error": NamedValues(names, snap.std_error),
        "varcomp": NamedValues(tuple(fit.varcomp.index), fit.varcomp.to_numpy()),
    }
    apvar = snap.apvar
    if isinstance(apvar, ApVar):
        found["Pars"] = NamedValues(apvar.names, apvar.pars)
        found["apVar"] = NamedValues(apvar.names, apvar.cov)
    else:
        found["Pars"] = found["apVar"] = apvar.reason
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
    overwrite : bool
        Whether a record that is there may be replaced.
    """

    case: Case
    folder: Path
    command: str
    overwrite: bool = False

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def where(self) -> str:
        return self.case.where

    @property
    def timeout(self) -> float | None:
        return self.case.timeout

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.json"


def record(item: Recording) -> Outcome:
    """Fit a model, ask R everything and write the record, whole; nothing where that fails."""
    start = time.perf_counter()
    try:
        fit = fit_case(item.case)
        said = write_record(item, fit)
    except RBridgeError as error:
        return failed(item, error)
    seconds = time.perf_counter() - start
    return Outcome(item.name, item.where, item.name, (said,), None, fit.provenance, seconds)


def write_record(item: Recording, fit: Fit) -> Finding:
    """The record of a fit, written whole.

    Raises
    ------
    RecordError
        It cannot be written.
    RBridgeError
        lmeInfo or the data failed.
    """
    text = dumps(_content(item, fit))
    try:
        write_whole(item.path, text)
    except OSError as error:
        raise RecordError(f"{item.path}: cannot be written: {error.strerror}") from None
    return Finding("record", OK, None, f"written to {item.path}")


def _content(item: Recording, fit: Fit) -> dict[str, Any]:
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
            "print": data_print(load_data(case.data, case.folder, case.category)),
        },
        "tolerance": dict(case.tolerance),
        "expect": dict(case.expect),
        "answers": {name: _plain(answer) for name, answer in answers(fit).items()},
        **fit.snapshot.to_dict(),
    }


def _plain(answer: NamedValues | str) -> Any:
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
    answers : mapping of quantity to NamedValues, or to why there is none
    snapshot : FitSnapshot
    print : mapping or None
        The data as :func:`~rbridge.suite.data_print.data_print` has them; None in old records.
    """

    path: Path
    case: Case
    sha256: str
    answers: Mapping[str, NamedValues | str]
    snapshot: FitSnapshot
    print: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def where(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class RecordFile:
    """A record not yet read; so that a bad file costs its own model only.

    Attributes
    ----------
    path : Path
    with_r : bool
        Whether today's R is asked.
    engine : str, optional
        Who fits today, in place of the record's own engine.
    case : Case, optional
        The model of the suite that the record must be of.
    suite : str
        The suite's name where one is given; then a record without a case is stale.
    limit : float, optional
        Seconds that it may take, in place of the case's own.
    """

    path: Path
    with_r: bool
    engine: str | None = None
    case: Case | None = None
    suite: str = ""
    limit: float | None = None

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def where(self) -> str:
        return str(self.path) if self.case is None else self.case.where

    @property
    def timeout(self) -> float | None:
        return self.case.timeout if self.limit is None and self.case else self.limit


def record_files(folder: Path, with_r: bool, engine: str | None = None) -> tuple[RecordFile, ...]:
    """The records of a folder.

    Raises
    ------
    RecordError
        There is none.
    """
    found = tuple(RecordFile(path, with_r, engine) for path in sorted(folder.glob("*.json")))
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
        if not is_regular(path):
            raise RecordError("it is no plain file")
        content = json.loads(path.read_text(encoding="utf-8"))
        if (
            not isinstance(content, dict)
            or content.get("format") != FORMAT
            or "answers" not in content
        ):
            raise RecordError(f"not a record of format {FORMAT}")
        snapshot = FitSnapshot.from_dict(content)
        data = content["data"]
        tolerance = dict(content["tolerance"])
        for code, value in tolerance.items():
            if not is_tolerance(value):
                raise RecordError(f"the tolerance of {code} is {value!r}")
        case = Case(
            name=str(content["name"]),
            spec=Fit(snapshot).spec,
            data=str(data["data"]),
            folder=path.parent,
            category=tuple(data["category"]),
            tolerance=tolerance,
            expect=dict(content["expect"]),
            where=str(path),
            engine=Fit(snapshot).engine,
        )
        given = {name: _answer(name, content["answers"][name]) for name in DRIFT}
        return Record(path, case, str(data["sha256"]), given, snapshot, data.get("print"))
    except (RBridgeError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"{path}: not a readable record: {what}") from None


def _answer(name: str, given: Any) -> NamedValues | str:
    if isinstance(given, str):
        return given
    values = np.array(given["values"], dtype=float)
    answer = NamedValues(tuple(map(str, given["names"])), values)
    if set(values.shape) != {len(answer.names)} or values.ndim > 2:
        raise RecordError(f"{name}: {len(answer.names)} names for values of shape {values.shape}")
    return answer
