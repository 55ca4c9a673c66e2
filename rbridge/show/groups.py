"""Pictures of coefficients and random effects, group by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .canvas import WIDE, below, grid_of, new_figure, panels, width_of
from .intervals import bars, limits, wrap_name
from .style import ACCENT, FAINT, POINT, QUIET, SMALL, TEXT, bare, cut, opacity, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED = 60  # groups that are named one by one
ROW = 0.145  # inches of a row


def interval_panels(
    tables: Mapping[str, pd.DataFrame],
    group: str,
    caption: str,
    figsize: Any = None,
    line: str = "mean",
) -> Figure:
    """Estimates with intervals, a row a group and a panel a coefficient.

    Parameters
    ----------
    tables : mapping of a coefficient's name to a frame by group
        ``lower``, ``est.``, ``upper``; all with the same groups.
    group : str
    caption : str
    figsize : (width, height) or width, optional
    line : {"mean", "zero"}
        Where the dotted line is.

    Returns
    -------
    matplotlib.figure.Figure
        The groups stand by the first coefficient, the largest on top.
    """
    first = next(iter(tables.values()))
    order = first["est."].sort_values(ascending=False, na_position="last").index
    usual = min(WIDE, 1.6 + 2.2 * len(tables))
    share = 0.25 * width_of(figsize, usual)
    many = len(order) > MOST_NAMED
    down = 5.0 if many else ROW * len(order) + 0.55
    figure, axes = panels(
        list(tables), figsize, 1.25, down, usual=usual, share=True, left=share + 0.3
    )
    columns = grid_of(len(tables), width_of(figsize, usual), 1.25)[1]
    for k, (ax, table) in enumerate(zip(axes, tables.values())):
        part = table.loc[order]
        ends = part[["lower", "upper"]].to_numpy(dtype=float)
        center = part["est."].mean() if line == "mean" else 0.0
        ax.axvline(center, color=QUIET, linestyle=":", linewidth=1)
        estimates = part["est."].to_numpy(dtype=float)
        bars(ax, estimates, ends, limits(ends, estimates), many)
        ax.grid(axis="x", color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.locator_params(axis="x", nbins=4)
        if k % columns == 0:
            _name_rows(ax, [str(label) for label in order], group, share)
    below(figure, f"{caption}; dotted: {line}")
    return figure


def _name_rows(ax: Any, names: list[str], group: str, share: float) -> None:
    """Names beside the rows as long as they can be read, else their number."""
    if len(names) <= MOST_NAMED:
        ax.set_yticks(range(len(names)), [cut(name, share, SMALL) for name in names])
        ax.tick_params(axis="y", labelsize=SMALL - 0.5, length=0)
        ax.set_ylabel(plain(group), fontsize=TEXT)
    else:
        ax.set_yticks([])
        ax.set_ylabel(plain(f"{len(names)} groups of {group}"), fontsize=TEXT)
    ax.set_ylim(len(names) - 0.3, -0.7)


def pairs_picture(table: pd.DataFrame, caption: str, figsize: Any = None) -> Figure:
    """Every column against every other, a point a row.

    Parameters
    ----------
    table : DataFrame, one row a group
    caption : str
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(map(str, table))
    k = max(len(names) - 1, 1)
    usual = min(WIDE, 3.4 if k == 1 else 1.9 * k + 0.6)
    figure = new_figure(figsize, usual, lambda width: 0.95 * (width - 0.5) + 0.55)
    axes = figure.subplots(k, k, squeeze=False, sharex="col", sharey="row")
    room = (figure.get_figwidth() - 0.9) / k - 0.1
    down = (figure.get_figheight() - 1.2) / k - 0.1
    for i, j in np.ndindex(k, k):
        ax = axes[i, j]
        if j > i:
            ax.remove()
            continue
        x, y = (j, i + 1) if len(names) > 1 else (0, 0)
        _points(ax, table.iloc[:, x], table.iloc[:, y], room)
        ax.set_xlabel(wrap_name(names[x], room) if i == k - 1 else "", fontsize=TEXT)
        ax.set_ylabel(wrap_name(names[y], down) if j == 0 else "", fontsize=TEXT)
    below(figure, caption)
    return figure


def _points(ax: Any, x: pd.Series, y: pd.Series, room: float) -> None:
    bare(ax)
    alpha = opacity(len(x))
    ax.plot(x, y, "o", color=ACCENT, markersize=POINT, alpha=alpha, markeredgewidth=0)
    ax.locator_params(nbins=4 if room > 1.1 else 3)
    r = x.corr(y)
    if np.isfinite(r) and x.name != y.name:
        text = f"{r:.2f}".replace("-", "−")
        ax.set_title(f"r = {text}", fontsize=SMALL, loc="right", pad=2)
