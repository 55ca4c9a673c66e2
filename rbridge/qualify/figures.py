"""Published figures and the models they are of, as figures.toml has them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pandas as pd

from .. import datasets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class PublishedFit:
    """A model whose figures somebody published.

    Attributes
    ----------
    name, data, fixed : str
    random : str or mapping, optional
        None for ``gls``.
    options : mapping
        The other arguments of ``rb.lme`` and ``rb.gls``.
    where : mapping of column to value
        The rows of the data that are kept.
    omit : sequence of int
        Positions of rows that are left out, from 0.
    """

    name: str
    data: str
    fixed: str
    random: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    omit: Sequence[int] = ()


@dataclass(frozen=True)
class PublishedFigure:
    """One figure as printed, and how closely it must be met.

    Attributes
    ----------
    where : tuple of str
        What of the table it is: row, column.
    printed : str
    tolerance : float
        Half a unit of the last printed digit, and how far two optimisers stop from one another.
    """

    where: tuple[str, ...]
    printed: str
    tolerance: float


@dataclass(frozen=True)
class PublishedTable:
    """Figures that one call of the public interface gives.

    Attributes
    ----------
    title, source : str
    fits : tuple of str
        Names of the fits that the call takes.
    take : str
        A name in :data:`rbridge.qualify.takes.TAKES`.
    options : mapping
    figures : tuple of PublishedFigure
    why : str
        Why the tolerances are what they are.
    """

    title: str
    source: str
    fits: tuple[str, ...]
    take: str
    options: Mapping[str, Any]
    figures: tuple[PublishedFigure, ...]
    why: str


@dataclass(frozen=True)
class PublishedFigures:
    """All of figures.toml.

    Attributes
    ----------
    fits : mapping of name to PublishedFit
    tables : tuple of PublishedTable
    data : mapping of name to columns
        Data that no R package ships.
    """

    fits: Mapping[str, PublishedFit]
    tables: tuple[PublishedTable, ...]
    data: Mapping[str, Mapping[str, Any]]

    def frame(self, fit: PublishedFit) -> pd.DataFrame:
        """The rows of the shipped data that a fit takes."""
        if fit.data in self.data:
            data = pd.DataFrame(self.data[fit.data])
        else:
            data = datasets.load(fit.data)
        data = data.drop(index=data.index[list(fit.omit)])
        for column, value in fit.where.items():
            data = data[data[column] == value]
        return data


def load_figures() -> PublishedFigures:
    """The figures that the package ships."""
    text = files("rbridge.qualify").joinpath("figures.toml").read_text("utf-8")
    return read_figures(tomllib.loads(text))


def read_figures(content: Mapping[str, Any]) -> PublishedFigures:
    """Figures from the parsed file."""
    fits = {fit["name"]: _fit(fit) for fit in content["fit"]}
    tables = tuple(_table(table, content["source"][table["source"]]) for table in content["table"])
    return PublishedFigures(fits, tables, content.get("data", {}))


def _fit(entry: Mapping[str, Any]) -> PublishedFit:
    own = ("name", "data", "fixed", "random", "where", "omit")
    known = {key: entry[key] for key in own if key in entry}
    return PublishedFit(**known, options={k: v for k, v in entry.items() if k not in own})


def _table(entry: Mapping[str, Any], source: Mapping[str, Any]) -> PublishedTable:
    fits, stop = entry["fit"], entry.get("stop", source["stop"])
    within = entry.get("within", 0.0)
    absolute = f" and {within:g}" if within else ""
    return PublishedTable(
        title=entry["title"],
        source=source["text"],
        fits=(fits,) if isinstance(fits, str) else tuple(fits),
        take=entry["take"],
        options=entry.get("options", {}),
        figures=tuple(_figure(row, stop, within) for row in entry["figures"]),
        why=f"half a unit of the last printed digit and {stop:g} of the value{absolute}: "
        f"{entry.get('why', source['why'])}",
    )


def _figure(row: Sequence[str], stop: float, within: float) -> PublishedFigure:
    *where, printed = row
    tolerance = half_unit(printed) + stop * abs(float(printed)) + within
    return PublishedFigure(tuple(where), printed, tolerance)


def half_unit(printed: str) -> float:
    """Half a unit of the last digit of a printed number: 0.0005 of ``-61.089``."""
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return float(Decimal(5).scaleb(exponent - 1))
