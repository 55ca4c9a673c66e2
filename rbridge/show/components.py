"""Pictures of the variance components: intervals by several methods, estimates and correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .canvas import WIDE, below, grid_of, new_figure, panels, room_for, width_of
from .intervals import FAR, ROW, bars, beside, limits, no_interval, row_height, rows
from .style import GLUE, QUIET, SMALL, TEXT, bare, inches, interval_text, number, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 2.9  # inches of a panel
LEGIBLE = 4.5  # points of a number at least


def varcomp_forest(table: pd.DataFrame, caption: str, figsize: Any = None) -> Figure:
    """Forest of the variance components: estimates with intervals by several methods.

    Parameters
    ----------
    table : DataFrame
        ``component``, ``method``, ``estimate``, ``lower``, ``upper`` and, where there is no
        interval, why not in ``note``: every method for every component.
    caption : str
        How the intervals were had.
    figsize : (width, height) or width, optional
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a component. An interval that leaves the panel ends in an arrow; a method without
        an interval says so.
    """
    by_component = dict(iter(table.groupby("component", sort=False)))
    methods = list(dict.fromkeys(table.method))
    width = width_of(figsize, WIDE)
    columns = grid_of(len(by_component), width, LEAST, 2)[1]
    names = room_for(methods, SMALL, 0.35 * width)
    height = ROW * len(methods) + 0.6
    titles = [f"{name} = {number(part.estimate.iloc[0])}" for name, part in by_component.items()]
    figure, axes = panels(titles, figsize, LEAST, height, most=2, left=names + 0.3)
    room = (width - names - 0.4) / columns - 0.2
    for k, (ax, part) in enumerate(zip(axes, by_component.values())):
        _methods(ax, part, room)
        rows(ax, methods, names + 0.02, SMALL)
        if k % columns:
            ax.tick_params(labelleft=False)
    below(figure, caption, "estimate (dotted line) and interval")
    return figure


def _methods(ax: Any, part: pd.DataFrame, room: float) -> None:
    """The intervals of one component, a row a method."""
    ends, estimate = part[["lower", "upper"]].to_numpy(dtype=float), part.estimate.iloc[0]
    ax.axvline(estimate, color=QUIET, linestyle=":", linewidth=1)
    missing = np.isnan(ends).any(axis=1)
    bars(ax, np.where(missing, np.nan, estimate), ends, limits(ends, estimate))
    for y in np.flatnonzero(missing):
        no_interval(ax, y, part.note.iloc[y], room)


def vcov_picture(
    table: pd.DataFrame, corr: pd.DataFrame, caption: str, figsize: Any = None
) -> Figure:
    """Estimates with their intervals in multiples of their size, and their correlations.

    Parameters
    ----------
    table : DataFrame
        ``estimate``, ``se``, ``lower``, ``upper``.
    corr : DataFrame
    caption : str
        How intervals and correlations were had.
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = [f"[{k}]{GLUE}{name}" for k, name in enumerate(table.index, 1)]
    names = list(map(str, table.index)) if len(table) == 1 else names
    width = width_of(figsize, WIDE)
    beside_it = width >= 5.5 and len(table) > 1
    share = 0.24 * width if beside_it else 0.33 * width
    row = row_height(names, share)
    down = row * len(table) + 0.5
    heights = (down, max(0.22 * len(table), 0.6) + 0.3) if len(table) > 1 else (down,)
    total = max(heights) if beside_it else sum(heights)
    figure = new_figure(figsize, WIDE, lambda _: total + 0.7)
    if len(table) == 1:
        _relative(figure.subplots(), table, names, share)
    else:
        shape: dict[str, Any] = {"nrows": 2, "ncols": 1, "height_ratios": heights}
        if beside_it:
            shape = {"nrows": 1, "ncols": 2, "width_ratios": (1.5, 1)}
        parts = figure.subfigures(**shape)
        _relative(parts[0].subplots(), table, names, share)
        _correlations(parts[1].subplots(), corr, 0.34 * width if beside_it else width - 0.6)
    below(figure, caption)
    return figure


def _relative(ax: Any, table: pd.DataFrame, names: list[str], share: float) -> None:
    """Intervals in units of their estimates."""
    numbers = table[["estimate", "lower", "upper"]].to_numpy(dtype=float)
    size = np.where(numbers[:, 0] == 0, 1.0, np.abs(numbers[:, 0]))
    scaled = numbers / size[:, None]
    bare(ax)
    ax.axvline(0, color=QUIET, linestyle=":", linewidth=1)
    bars(ax, scaled[:, 0], scaled[:, 1:], limits(scaled[:, 1:], scaled[:, 0], 2 * FAR))
    rows(ax, names, share)
    for y, three in enumerate(numbers):
        beside(ax, y, interval_text(*three))
    ax.set_xlabel("in units of the estimate", fontsize=TEXT)


def _correlations(ax: Any, corr: pd.DataFrame, room: float) -> None:
    """The correlations once each, as colours and, where they can be read, as numbers."""
    k = len(corr) - 1
    values = np.where(np.tri(k + 1, k=-1, dtype=bool), corr.to_numpy(), np.nan)[1:, :-1]
    ax.imshow(values, cmap="RdBu", vmin=-1.6, vmax=1.6, aspect="auto")  # pale: text is read
    size = min(SMALL, 0.8 * room / k / inches("−0.00", 1.0))
    if size >= LEGIBLE:
        for i, j in np.argwhere(np.isfinite(values)):
            text = f"{values[i, j]:.2f}".replace("-", "−")
            ax.text(j, i, text, ha="center", va="center", fontsize=size)
    bare(ax)
    ax.spines[["left", "bottom"]].set_visible(False)
    every = max(1, int(np.ceil(inches("[00]  ", SMALL) * k / (0.85 * room))))
    ax.set_xticks(range(0, k, every), [f"[{j + 1}]" for j in range(0, k, every)])
    ax.set_yticks(range(k), [f"[{i + 2}]" for i in range(k)])
    ax.tick_params(length=0)
    title(ax, "correlations of the estimates")
