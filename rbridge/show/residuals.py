"""Pictures of residuals, against a number or by the levels of a factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.smoother import lowess
from .canvas import (
    MANY,
    WIDE,
    across,
    below,
    canvas,
    check_place,
    left_of,
    panels,
    room_for,
    say,
    width_of,
)
from .intervals import row_height, rows
from .lines import smooth
from .style import ACCENT, INK, POINT, QUIET, SMALL, labels, opacity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE = "line: lowess"
ROWS = "bar: the middle half, tick: the median"
FEW = 8  # points that have no smooth line


def residual_panels(
    table: pd.DataFrame, names: tuple[str, str], caption: str, ax: Any = None, figsize: Any = None
) -> Figure:
    """Residuals against something, a panel a group.

    Parameters
    ----------
    table : DataFrame
        ``panel`` (the same text in all rows for one panel), ``x``, ``y``.
    names : (x, y)
    caption : str
    ax : Axes, optional
        To draw into where there is one panel; by default a figure of its own.
    figsize : (width, height) or width, optional
        Of that figure, in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Against a number: points with a smooth line. By a factor: a row a level, with its points,
        the middle half of them and the median.
    """
    check_place(ax, figsize)
    parts = {name: part for name, part in table.groupby("panel", sort=False)}
    numeric = pd.api.types.is_numeric_dtype(table.x.dtype)
    draw = _against_number if numeric else _by_level
    if len(parts) == 1:
        return draw(table, names, caption, ax, figsize)
    return (_number_panels if numeric else _level_panels)(parts, names, caption, figsize)


def _against_number(
    table: pd.DataFrame, names: tuple[str, str], caption: str, ax: Any, figsize: Any
) -> Figure:
    own = ax is None
    figure, ax = canvas(ax, figsize, lambda _: 3.2)
    line = scatter(ax, table.x.to_numpy(dtype=float), table.y.to_numpy(dtype=float))
    labels(ax, *names)
    say(figure, ax, own, f"{caption}; {LINE}" if line else caption)
    return figure


def scatter(ax: Any, x: Array, y: Array) -> bool:
    """Points, the zero, and a smooth line where there are enough of them; whether there are."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    ax.axhline(0, color=QUIET, linewidth=0.8)
    dots = {"markersize": POINT, "alpha": opacity(len(x)), "markeredgewidth": 0}
    ax.plot(x, y, "o", color=INK, **dots)
    if len(x) < FEW or len(np.unique(x)) < 3:
        return False
    ax.plot(*smooth(*lowess(x, y)), color=ACCENT, linewidth=1.6)
    return True


def _number_panels(
    parts: dict[str, pd.DataFrame], names: tuple[str, str], caption: str, figsize: Any
) -> Figure:
    least, down = (1.05, 1.15) if len(parts) > MANY else (1.6, 2.0)
    how = {"most": 6, "share": True, "sharex": True, "extra": 0.6}
    figure, axes = panels(list(parts), figsize, least, down, **how)  # type: ignore[arg-type]
    lines = [
        scatter(ax, part.x.to_numpy(dtype=float), part.y.to_numpy(dtype=float))
        for ax, part in zip(axes, parts.values())
    ]
    for ax in axes:
        ax.locator_params(nbins=4)
    left_of(figure, names[1])
    below(figure, f"{caption}; {LINE}" if any(lines) else caption, names[0])
    return figure


def _levels(x: pd.Series) -> list[Any]:
    """Levels in the order of a categorical, else of the values."""
    if isinstance(x.dtype, pd.CategoricalDtype):
        return [level for level in x.cat.categories if (x == level).any()]
    return sorted(x.dropna().unique(), key=lambda value: (str(type(value)), value))


def _by_level(
    table: pd.DataFrame, names: tuple[str, str], caption: str, ax: Any, figsize: Any
) -> Figure:
    own, levels = ax is None, _levels(table.x)
    shown = list(map(str, levels))
    share = room_for(shown, SMALL, 0.35 * across(ax, figsize)) + 0.02
    row = max(row_height(shown, share, SMALL), 0.4 if len(levels) < 5 else 0.0)
    height = row * len(levels) + 0.9
    figure, ax = canvas(ax, figsize, lambda _: height)
    _level_rows(ax, table, levels)
    rows(ax, shown, share, SMALL)
    labels(ax, names[1], names[0])
    say(figure, ax, own, f"{caption}; {ROWS}")
    return figure


def _level_rows(ax: Any, part: pd.DataFrame, levels: list[Any]) -> None:
    """Points of each level, moved apart in a fixed pattern, over the bar of the middle half."""
    ax.axvline(0, color=QUIET, linewidth=0.8)
    alpha = opacity(len(part) // 2)
    for y, level in enumerate(levels):
        values = np.sort(part.y[(part.x == level).to_numpy()].dropna().to_numpy(dtype=float))
        if not len(values):
            continue
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        ax.plot([low, high], [y, y], color=ACCENT, linewidth=6, alpha=0.35, solid_capstyle="butt")
        ax.plot([middle, middle], [y - 0.3, y + 0.3], color=ACCENT, linewidth=1.8)
        apart = 0.3 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
        dots = {"markersize": POINT - 0.7, "alpha": alpha, "markeredgewidth": 0}
        ax.plot(values, y + apart, "o", color=INK, **dots)


def _level_panels(
    parts: dict[str, pd.DataFrame], names: tuple[str, str], caption: str, figsize: Any
) -> Figure:
    levels = _levels(pd.concat([part.x for part in parts.values()]))
    shown = list(map(str, levels))
    share = room_for(shown, SMALL, 0.3 * width_of(figsize, WIDE)) + 0.02
    down = row_height(shown, share, SMALL) * len(levels) + 0.5
    how = {"share": True, "sharex": True, "extra": 0.6, "left": share + 0.4}
    figure, axes = panels(list(parts), figsize, 1.5, down, **how)  # type: ignore[arg-type]
    for ax, part in zip(axes, parts.values()):
        _level_rows(ax, part, levels)
        rows(ax, shown, share, SMALL)
    left_of(figure, names[0])
    below(figure, f"{caption}; {ROWS}", names[1])
    return figure
