"""Pictures of marginal means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .picture import ACCENT, INK, MARKERS, QUIET, SMALL, picture, plain, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = (ACCENT, "#c8602a", "#4d7d4a", "#8a5aa8", "#5b5b5b", "#b89230")


def means_picture(
    table: pd.DataFrame, factors: Sequence[str], by: Sequence[str], caption: str
) -> Figure:
    """Means with their intervals, a line with its own marker for each combination of ``by``.

    Parameters
    ----------
    table : DataFrame
        The columns of ``factors`` and ``by``, then ``estimate``, ``lower``, ``upper``.
    factors, by : sequence of str
    caption : str
        How the intervals were had, in words.

    Returns
    -------
    matplotlib.figure.Figure
    """
    places = _labels(table, factors)
    order = list(dict.fromkeys(places))
    cells = np.array(_labels(table, by))
    lines = {cell: table[cells == cell] for cell in dict.fromkeys(cells)}
    figure = picture(max(4.4, 1.1 * len(order) + 2.4), 3.6)
    ax = figure.subplots()
    shifts = (np.arange(len(lines)) - (len(lines) - 1) / 2) * min(0.12, 0.6 / len(lines))
    for k, (label, rows) in enumerate(lines.items()):
        x = np.array([order.index(name) for name in _labels(rows, factors)]) + shifts[k]
        _line(ax, x, rows, LINES[k % len(LINES)], MARKERS[k % len(MARKERS)], label)
    ax.set_xticks(range(len(order)), [wrap(name, 14) for name in order], fontsize=SMALL)
    ax.set_xlim(-0.5, len(order) - 0.5 + (0.6 if by else 0))
    ax.set_xlabel(plain(", ".join(factors)), fontsize=SMALL)
    ax.set_ylabel("marginal mean", fontsize=SMALL)
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(wrap(caption, 80), fontsize=6.5, color=QUIET)
    return figure


def _labels(table: pd.DataFrame, factors: Sequence[str]) -> list[str]:
    rows = table[list(factors)].to_numpy(dtype=object)
    return [" ".join(map(_short, row)) for row in rows]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _line(ax: Any, x: Any, rows: pd.DataFrame, color: str, marker: str, label: str) -> None:
    ax.vlines(x, rows.lower, rows.upper, color=color, linewidth=1.4)
    style = "-" if label and len(x) > 1 else "none"
    ax.plot(x, rows.estimate, marker=marker, color=color, linestyle=style, linewidth=0.8)
    if label:
        at = (x[-1], rows.estimate.iloc[-1])
        offset = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(plain(label), at, color=INK, fontsize=SMALL, **offset)
