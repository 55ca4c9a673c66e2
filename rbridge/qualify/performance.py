"""Performance: the figures that others have published, computed here through the public interface."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from ..errors import RBridgeError
from .figures import PublishedFigure, PublishedTable
from .fits import FitStore
from .proof import PERFORMANCE, Proof, compared, unchecked
from .takes import TAKES, LookUp

MORE_DIGITS = 2  # of what is found, beyond those that were printed


def performance(store: FitStore) -> Iterator[Proof]:
    """One proof a published figure."""
    for table in store.figures.tables:
        yield from _of_table(store, table)


def _of_table(store: FitStore, table: PublishedTable) -> Iterator[Proof]:
    """The time of the fit is that of its first figure."""
    start = time.perf_counter()
    found: LookUp | Exception
    try:
        found = _quietly(store, table)
    except Exception as error:  # R's absence, a fit that fails, a bug: it costs this table only
        found = error
    for figure in table.figures:
        proof = _proof(table, figure, found)
        now = time.perf_counter()
        yield replace(proof, seconds=now - start)
        start = now


def _quietly(store: FitStore, table: PublishedTable) -> LookUp:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TAKES[table.take]([store(name) for name in table.fits], table.options)


def _proof(table: PublishedTable, figure: PublishedFigure, found: LookUp | Exception) -> Proof:
    proof = Proof(
        section=PERFORMANCE,
        group=table.title,
        name=", ".join(figure.where),
        source=table.source,
        expected=figure.printed,
        found="",
        tolerance=figure.tolerance,
        why=table.why,
        verdict=None,
    )
    if isinstance(found, Exception):
        return unchecked(proof, _said(found))
    try:
        value = float(found(*figure.where))
    except Exception as error:
        return unchecked(proof, _said(error))
    shown = replace(proof, found=_shown(value, figure.printed))
    return compared(shown, value, float(figure.printed), figure.tolerance)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, RBridgeError) else f"{type(error).__name__}: {error}"


def _shown(value: float, printed: str) -> str:
    """The value with two digits more than were printed."""
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value:.{max(MORE_DIGITS - exponent, 0)}f}"
