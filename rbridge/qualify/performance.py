"""Performance: figures that others have published, computed through the public interface."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from ..errors import RBridgeError
from .figures import PublishedFigure, PublishedTable
from .fits import FitStore
from .proof import PERFORMANCE, Proof, compared, unchecked
from .takes import TAKES, LookUp

WORDS = {  # of what a call gives, where its rows and columns do not say it
    "sd": "standard deviation: ",
    "variance": "variance: ",
    "correlation": "correlation: ",
    "random_effect": "random effect: ",
    "se": "standard error: ",
    "estimate": "coefficient: ",
    "compare": "model ",
}
NUMBERS = {
    "llf": "log-likelihood",
    "minus two llf": "-2 log-likelihood",
    "aic": "AIC",
    "bic": "BIC",
    "sigma": "residual standard deviation",
    "scale": "residual variance",
}
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
        with _quiet():
            found = TAKES[table.take]([store(name) for name in table.fits], table.options)
    except Exception as error:  # R's absence, a fit that fails, a bug: it costs this table only
        found = error
    for figure in table.figures:
        proof = _proof(table, figure, found)
        now = time.perf_counter()
        yield replace(proof, seconds=now - start)
        start = now


@contextmanager
def _quiet() -> Iterator[None]:
    """What R warns of, it warned of when the figures were published."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _proof(table: PublishedTable, figure: PublishedFigure, found: LookUp | Exception) -> Proof:
    proof = Proof(
        section=PERFORMANCE,
        group=table.title,
        name=_name(table, figure),
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
        with _quiet():
            value = float(found(*figure.where))
    except Exception as error:
        return unchecked(proof, _said(error))
    shown = replace(proof, found=_shown(value, figure.printed))
    return compared(shown, value, float(figure.printed), figure.tolerance)


def _name(table: PublishedTable, figure: PublishedFigure) -> str:
    if table.take == "number":
        return NUMBERS[figure.where[0]]
    return WORDS.get(table.take, "") + ", ".join(figure.where)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, RBridgeError) else f"{type(error).__name__}: {error}"


def _shown(value: float, printed: str) -> str:
    """The value with two digits more than were printed."""
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value:.{max(MORE_DIGITS - exponent, 0)}f}"
