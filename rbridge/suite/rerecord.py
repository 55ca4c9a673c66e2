"""Records where there are some already: what would change is said before it is overwritten."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..check.findings import FAILURE, NOTE, OK, UNCHECKED, Finding
from ..errors import RBridgeError, RecordError
from ..fit.components import Fit
from .against import changes
from .drift import data_change, drifts
from .record import Record, Recording, answers, read_record, record, write_record
from .run import Outcome, failed, fit_case


def record_or_tell(item: Recording) -> Outcome:
    """Record a model; a record that differs is replaced only if that was allowed."""
    if not item.path.exists():
        return record(item)
    start = time.perf_counter()
    try:
        fit = fit_case(item.case)
        found = tuple(_replaced(item, fit))
    except RBridgeError as error:
        return failed(item, error)
    seconds = time.perf_counter() - start
    return Outcome(item.name, item.where, item.name, found, None, fit.provenance, seconds)


def _replaced(item: Recording, fit: Fit) -> Iterator[Finding]:
    news = tuple(_news(item, fit))
    if item.overwrite:
        yield write_record(item, fit)
        yield from (Finding("change", NOTE, None, text) for text in news)
    elif not news:
        yield Finding("record", OK, None, f"{item.path} says the same already")
    else:
        text = f"{item.path} would change and was left as it is (--yes overwrites it)"
        yield Finding("record", UNCHECKED, None, text)
        yield from (Finding("change", UNCHECKED, None, text) for text in news)


def _news(item: Recording, fit: Fit) -> Iterator[str]:
    """What a new record says otherwise, in sentences."""
    try:
        old = read_record(item.path)
    except RecordError as error:
        yield str(error)
        return
    yield from changes(old.case, item.case)
    yield from _other_data(old, item)
    then, now = old.snapshot.provenance, fit.provenance
    moved = [n for n in ("R", "nlme", "lmeInfo", "BLAS") if then.get(n) != now.get(n)]
    yield from (f"{n} {then.get(n) or 'absent'} → {now.get(n) or 'absent'}" for n in moved)
    for finding in drifts(old, Fit(old.snapshot), answers(fit)):
        if finding.level == FAILURE:
            yield f"{finding.code}: {finding.text}"


def _other_data(old: Record, item: Recording) -> Iterator[str]:
    kind, words = data_change(old, item.case)
    if kind:
        yield words
