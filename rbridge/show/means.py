"""Pictures of marginal means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .canvas import WIDE, across, below, canvas, panels, room_for, say, width_of
from .intervals import bars, limits, row_height, rows
from .lines import label_lines
from .style import BAND, DASHES, LINES, POINT, SMALL, TEXT, cut, inches, labels, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE = 8  # values of a number from which on its means are a curve with a band
MOST = 7  # levels side by side


def means_picture(
    table: pd.DataFrame,
    factors: Sequence[str],
    by: Sequence[str],
    response: str,
    caption: str,
    ax: Any = None,
    figsize: Any = None,
) -> Figure:
    """Means with their intervals.

    Parameters
    ----------
    table : DataFrame
        The columns of ``factors`` and ``by``, then ``estimate``, ``lower``, ``upper``.
    factors, by : sequence of str
    response : str
        What they are means of.
    caption : str
        How the intervals were had, in words.
    ax : Axes, optional
        To draw into; by default a figure of its own.
    figsize : (width, height) or width, optional
        Of that figure, in inches.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each combination of ``by``, over the values of a number or the levels of a
        factor; levels that do not fit side by side are rows, with a panel for each combination.
    """
    width = across(ax, figsize)
    cells = _cells(table, by)
    names = list(dict.fromkeys(_labels(table, factors)))
    number = len(factors) == 1 and pd.api.types.is_numeric_dtype(table[factors[0]].dtype)
    beside = len(names) <= MOST and all(map(_fits(names, width), names))
    if len(cells) <= len(LINES) and ((number and len(names) > 1) or beside):
        own = ax is None
        figure, ax = canvas(ax, figsize, lambda _: 3.4)
        draw = _over_number if number and len(names) > 1 else _over_levels
        draw(ax, cells, factors, names)
        labels(ax, ", ".join(factors), f"mean of {response}")
        _room(ax, table)
        label_lines(ax, _ends(cells, number, names, factors), 0.3 * width)
        say(figure, ax, own, caption)
        return figure
    if ax is not None:
        return _in_rows(table, [*factors, *by], response, caption, ax)
    return _row_panels(cells, factors, response, caption, figsize)


def _fits(names: Sequence[str], width: float) -> Any:
    """Whether the words of a name fit below a level."""
    room = 0.75 * width / len(names) - 0.05
    return lambda name: max(inches(word, SMALL) for word in name.split() or [""]) <= room


def _cells(table: pd.DataFrame, by: Sequence[str]) -> dict[str, pd.DataFrame]:
    names = np.array(_named(table, by), dtype=object)
    return {name: table[names == name] for name in dict.fromkeys(names)}


def _named(table: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """Levels by name; a number says what it is the number of."""
    numbers = {name for name in by if pd.api.types.is_numeric_dtype(table[name].dtype)}
    parts = table[list(by)].to_numpy(dtype=object)
    return [
        ", ".join(f"{n} = {_short(v)}" if n in numbers else _short(v) for n, v in zip(by, row))
        for row in parts
    ]


def _labels(table: pd.DataFrame, factors: Sequence[str]) -> list[str]:
    parts = table[list(factors)].to_numpy(dtype=object)
    return [", ".join(map(_short, row)) for row in parts]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _over_number(
    ax: Any, cells: dict[str, pd.DataFrame], factors: Sequence[str], names: list[str]
) -> None:
    """Curves with bands over many values, points with bars over few."""
    for k, part in enumerate(cells.values()):
        part = part.sort_values(factors[0])
        x, style = part[factors[0]].to_numpy(dtype=float), _style(k)
        if len(names) >= CURVE:
            ends = (part.lower.astype(float), part.upper.astype(float))
            ax.fill_between(x, *ends, color=LINES[k], alpha=BAND, linewidth=0)
            ax.plot(x, part.estimate, **style, linewidth=1.5)
        else:
            span = np.ptp(table_x(cells, factors[0]))
            _points(ax, x + _shift(k, len(cells)) * 0.15 * span / len(names), part, style)


def table_x(cells: dict[str, pd.DataFrame], name: str) -> Any:
    return np.concatenate([part[name].to_numpy(dtype=float) for part in cells.values()])


def _over_levels(
    ax: Any, cells: dict[str, pd.DataFrame], factors: Sequence[str], names: list[str]
) -> None:
    for k, part in enumerate(cells.values()):
        places = np.array([names.index(name) for name in _labels(part, factors)], dtype=float)
        style = _style(k) if len(cells) > 1 else {"color": LINES[0], "linestyle": "none"}
        _points(ax, places + _shift(k, len(cells)), part, style)
    room = ax.get_window_extent().width / ax.figure.dpi / len(names)
    ax.set_xticks(range(len(names)), [wrap(name, room, SMALL) for name in names])
    ax.set_xlim(-0.5, len(names) - 0.5)


def _room(ax: Any, table: pd.DataFrame) -> None:
    """Heights without an interval that would squeeze the rest; it ends in an arrow."""
    ends, estimates = table[["lower", "upper"]].to_numpy(float), table.estimate.to_numpy(float)
    low, high = limits(ends, estimates)
    if np.nanmin(ends) >= low and np.nanmax(ends) <= high:
        return
    margin = 0.06 * (high - low)
    ax.set_ylim(low - margin, high + margin)
    for line in [each for each in ax.collections if hasattr(each, "get_segments")]:
        for (x, lower), (_, upper) in line.get_segments():
            for beyond, edge, arrow in ((lower < low, low, "v"), (upper > high, high, "^")):
                if beyond:
                    at = edge + (0.8 * margin if arrow == "^" else -0.8 * margin)
                    ax.plot(x, at, arrow, color=line.get_color()[0], markersize=4)


def _style(k: int) -> dict[str, Any]:
    return {"color": LINES[k % len(LINES)], "linestyle": DASHES[k % len(DASHES)]}


def _shift(k: int, n: int) -> float:
    """Lines stand side by side, so that no interval covers another."""
    return float((k - (n - 1) / 2) * min(0.1, 0.5 / n))


def _points(ax: Any, x: Any, part: pd.DataFrame, style: dict[str, Any]) -> None:
    ax.vlines(x, part.lower, part.upper, color=style["color"], linewidth=1.3)
    ax.plot(x, part.estimate, marker="o", markersize=POINT + 1.3, linewidth=0.8, **style)


def _ends(
    cells: dict[str, pd.DataFrame], number: bool, names: list[str], factors: Sequence[str]
) -> list[tuple[str, float, str]]:
    """Name, height and colour of the last mean of each line."""
    found = []
    for k, (name, part) in enumerate(cells.items()):
        if number:
            part = part.sort_values(factors[0])
        seen = part.estimate.dropna()
        if name and len(seen):
            found.append((name, float(seen.iloc[-1]), LINES[k % len(LINES)]))
    return found


def _in_rows(
    table: pd.DataFrame, factors: Sequence[str], response: str, caption: str, ax: Any
) -> Figure:
    """Every mean as a row of the caller's Axes."""
    figure, ax = canvas(ax, None, lambda _: 0.0)
    names = _labels(table, factors)
    _rows(ax, table, names, 0.35 * across(ax, None))
    labels(ax, f"mean of {response}")
    say(figure, ax, False, caption)
    return figure


def _rows(ax: Any, table: pd.DataFrame, names: list[str], share: float) -> None:
    ends, estimates = table[["lower", "upper"]].to_numpy(float), table.estimate.to_numpy(float)
    bars(ax, estimates, ends, limits(ends, estimates))
    rows(ax, names, share, SMALL)


def _row_panels(
    cells: dict[str, pd.DataFrame],
    factors: Sequence[str],
    response: str,
    caption: str,
    figsize: Any,
) -> Figure:
    """A panel for each combination of ``by``, in it a row for each level."""
    names = list(dict.fromkeys(name for part in cells.values() for name in _labels(part, factors)))
    usual = WIDE if len(cells) > 1 else 5.0
    share = room_for(names, SMALL, 0.3 * width_of(figsize, usual))
    down = row_height(names, share + 0.02, SMALL) * len(names) + 0.5
    titles = [cut(name, 2.0, TEXT) for name in cells]
    how = {"usual": usual, "share": True, "sharex": True, "extra": 0.6}
    figure, axes = panels(titles, figsize, 1.6, down, **how)  # type: ignore[arg-type]
    every = pd.concat(list(cells.values()))
    ends, centers = every[["lower", "upper"]].to_numpy(float), every.estimate.to_numpy(float)
    room = limits(ends, centers)
    for ax, part in zip(axes, cells.values()):
        ordered = part.assign(_row=_labels(part, factors)).set_index("_row").reindex(names)
        ends = ordered[["lower", "upper"]].to_numpy(float)
        bars(ax, ordered.estimate.to_numpy(float), ends, room)
        rows(ax, names, share + 0.02, SMALL)
        ax.locator_params(axis="x", nbins=4)
    figure.supylabel(wrap(", ".join(factors), figure.get_figheight() - 1, TEXT), fontsize=TEXT)
    below(figure, caption, f"mean of {response}")
    return figure
