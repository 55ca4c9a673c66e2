"""Pictures of a panel a group: predicted curves, residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .canvas import canvas, caption_below, check_place
from .picture import ACCENT, INK, QUIET, SMALL, picture, plain, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 10  # of as many rows each, whose medians the line joins


def curves(
    rows: pd.DataFrame, lines: pd.DataFrame, names: Sequence[str], caption: str, figsize: Any = None
) -> Figure:
    """Observed responses and predicted curves.

    Parameters
    ----------
    rows : DataFrame
        ``panel``, ``x``, ``y`` of each row.
    lines : DataFrame
        ``panel``, ``x``, ``population``, ``prediction`` and, for a band, ``lower``, ``upper``.
    names : (x, y, group)
    caption : str
    figsize : (width, height), optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = list(dict.fromkeys(lines.panel))
    figure, axes = _panels(panels, figsize)
    for ax, panel in zip(axes, panels):
        line, own = lines[lines.panel == panel], rows[rows.panel == panel]
        if "lower" in line:
            ax.fill_between(line.x, line.lower, line.upper, color=ACCENT, alpha=0.15, linewidth=0)
        ax.plot(line.x, line.population, "--", color=QUIET, linewidth=1)
        ax.plot(line.x, line.prediction, color=ACCENT, linewidth=1.3)
        ax.plot(own.x, own.y, "o", color=INK, markersize=2.8)
    figure.supylabel(plain(names[1]), fontsize=SMALL)
    below = f"{plain(names[0])}\n{wrap(f'a panel a {names[2]}: {caption}', _width(figure))}"
    figure.supxlabel(below, fontsize=SMALL - 1)
    return figure


def _width(figure: Figure) -> int:
    return int(figure.get_figwidth() * 16)


def _panels(names: Sequence[str], figsize: Any) -> tuple[Figure, list[Any]]:
    columns = min(len(names), max(1, math.ceil(math.sqrt(1.4 * len(names)))))
    rows = math.ceil(len(names) / columns)
    figure = picture(*(figsize or (1.35 * columns + 1.0, 1.3 * rows + 0.9)))
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    for k, ax in enumerate(axes):
        if k >= len(names):
            axes[k - columns].tick_params(labelbottom=True)
            ax.remove()
            continue
        ax.set_title(wrap(names[k], 20), fontsize=SMALL, loc="left", pad=2)
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes[: len(names)]


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
        Where there is one panel.
    figsize : (width, height), optional

    Returns
    -------
    matplotlib.figure.Figure
        Numbers as points with the medians of tenths of the rows, anything else as boxes.
    """
    check_place(ax, figsize)
    panels = list(dict.fromkeys(table.panel))
    if len(panels) == 1:
        figure, ax = canvas(ax, figsize, 5.2, 3.4)
        axes = [ax]
    else:
        size = (2.5 * min(len(panels), 3) + 0.9, 2.5 * math.ceil(len(panels) / 3) + 0.7)
        figure, axes = _panels(panels, figsize or size)
    for each, panel in zip(axes, panels):
        rows = table[table.panel == panel]
        each.axhline(0, color=QUIET, linewidth=0.8)
        draw = _against if pd.api.types.is_numeric_dtype(table.x.dtype) else _boxes
        draw(each, rows)
    if len(panels) == 1:
        axes[0].set_xlabel(plain(names[0]), fontsize=SMALL)
        axes[0].set_ylabel(plain(names[1]), fontsize=SMALL)
        caption_below(figure, axes[0], caption)
    else:
        figure.supylabel(plain(names[1]), fontsize=SMALL)
        below = f"{plain(names[0])}\n{wrap(caption, _width(figure))}"
        figure.supxlabel(below, fontsize=SMALL - 1)
    return figure


def _against(ax: Any, rows: pd.DataFrame) -> None:
    ax.plot(
        rows.x,
        rows.y,
        "o",
        color=INK,
        markersize=3,
        alpha=float(np.clip(800 / len(rows), 0.15, 0.8)),
    )
    ordered = rows.sort_values("x", kind="stable")
    parts = np.array_split(np.arange(len(rows)), min(BINS, len(rows) // 8 or 1))
    medians = pd.DataFrame([ordered.iloc[part][["x", "y"]].median() for part in parts])
    line = medians.groupby("x").y.mean()
    ax.plot(line.index, line, color=ACCENT, linewidth=1.6)


def _boxes(ax: Any, rows: pd.DataFrame) -> None:
    groups = {str(name): part.y.to_numpy() for name, part in rows.groupby("x", observed=True)}
    style = {"color": INK, "linewidth": 1}
    shown = {"boxprops": style, "whiskerprops": style, "capprops": style, "widths": 0.5}
    median = {"color": ACCENT, "linewidth": 1.6}
    flier = {"marker": "o", "markersize": 3, "markeredgecolor": INK}
    ax.boxplot(list(groups.values()), medianprops=median, flierprops=flier, **shown)
    ax.set_xticks(range(1, len(groups) + 1), [wrap(name, 14) for name in groups])
