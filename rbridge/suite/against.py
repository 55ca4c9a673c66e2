"""A suite and its records side by side: what is missing, what is stale, which model changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import RecordError
from .cases import Case
from .record import RecordFile, record_files


def paired(
    folder: Path,
    with_r: bool,
    cases: tuple[Case, ...] | None = None,
    suite: str = "",
    engine: str | None = None,
) -> tuple[RecordFile, ...]:
    """The records of a folder; with a suite, one item a model and one a record that is not of it.

    Parameters
    ----------
    folder : Path
    with_r : bool
        Whether today's R is held against them.
    cases : tuple of Case, optional
        The suite's models, in whose order the items come.
    suite : str
        The suite's name, for messages.
    engine : str, optional
        Who fits today, in place of the engine of each record.

    Raises
    ------
    RecordError
        There is no record, or no such folder.
    """
    found = record_files(folder, with_r, engine)
    if cases is None:
        return found
    of_suite = [
        RecordFile(folder / f"{case.name}.json", with_r, engine, case, suite) for case in cases
    ]
    names = {case.name for case in cases}
    stale = [
        RecordFile(file.path, with_r, engine, None, suite)
        for file in found
        if file.name not in names
    ]
    return (*of_suite, *stale)


def check_pair(file: RecordFile) -> None:
    """Refuse a record without a model, and a model without a record.

    Raises
    ------
    RecordError
    """
    if file.suite and file.case is None:
        raise RecordError(
            f"{file.suite} has no model {file.name!r}: the record is stale; delete {file.path}, or "
            "give the model back to the suite"
        )
    if file.case is not None and not file.path.exists():
        raise RecordError(
            f"there is no record {file.path} of it: rbridge record --suite {file.suite} "
            f"-o {file.path.parent}"
        )


def check_unchanged(recorded: Case, file: RecordFile) -> None:
    """Refuse a record of another model than the suite has by that name.

    Raises
    ------
    RecordError
    """
    if file.case is None:
        return
    if told := list(changes(recorded, file.case)):
        raise RecordError(
            f"the model is not the one of {file.path}: {'; '.join(told)}: record it again, or "
            "change the suite back"
        )


def changes(recorded: Case, case: Case) -> Iterator[str]:
    """What the model is today and was not when it was recorded, a sentence each."""
    then, now = (_told(one) for one in (recorded, case))
    for name in then:
        if then[name] != now[name]:
            yield f"{name} was {_short(then[name])} and is {_short(now[name])}"


def _told(case: Case) -> dict[str, object]:
    """What makes the model, by the suite's own words."""
    categories: Iterable[str] = sorted(case.category)
    return {
        "name": case.name,
        **case.spec.to_dict(),
        "category": list(categories),
        "engine": case.engine,
    }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
