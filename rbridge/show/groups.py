"""Pictures of coefficients and random effects, group by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .picture import ACCENT, INK, QUIET, SMALL, picture, plain, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED = 60  # groups that are named one by one
POINT = 0.155  # inches of a row


def interval_panels(
    tables: Mapping[str, pd.DataFrame], group: str, caption: str, figsize: Any = None
) -> Figure:
    """Estimates with intervals, a row a group and a panel a coefficient.

    Parameters
    ----------
    tables : mapping of a coefficient's name to a frame by group
        ``lower``, ``est.``, ``upper``; all with the same groups.
    group : str
    caption : str
    figsize : (width, height), optional

    Returns
    -------
    matplotlib.figure.Figure
        The groups stand by the first coefficient, the largest on top; the line is the mean.
    """
    first = next(iter(tables.values()))
    order = first["est."].sort_values(na_position="first").index
    n = len(order)
    height = 1.0 + POINT * min(n, MOST_NAMED)
    figure = picture(*(figsize or (1.0 + 2.5 * len(tables), height)))
    axes = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, tables.items()):
        rows = table.loc[order]
        ax.axvline(rows["est."].mean(), color=QUIET, linestyle=":", linewidth=1)
        ax.hlines(range(n), rows.lower, rows.upper, color=INK, linewidth=1)
        ax.plot(rows["est."], range(n), "o", color=ACCENT, markersize=3.5)
        ax.set_title(wrap(name, 28), fontsize=9, loc="left")
        ax.tick_params(labelsize=SMALL)
        ax.spines[["top", "right"]].set_visible(False)
    _name_rows(axes[0], [str(label) for label in order], group)
    figure.supxlabel(wrap(caption, int(figure.get_figwidth() * 17)), fontsize=6.5, color=QUIET)
    return figure


def _name_rows(ax: Any, labels: list[str], group: str) -> None:
    """Names beside the rows as long as they can be read, else their number."""
    if len(labels) <= MOST_NAMED:
        ax.set_yticks(range(len(labels)), [plain(label) for label in labels], fontsize=7)
        ax.set_ylabel(plain(group), fontsize=SMALL)
    else:
        ax.set_yticks([])
        ax.set_ylabel(plain(f"{len(labels)} groups of {group}"), fontsize=SMALL)
    ax.set_ylim(-0.7, len(labels) - 0.3)


def pairs_picture(table: pd.DataFrame, caption: str, figsize: Any = None) -> Figure:
    """Every column against every other, a point a row.

    Parameters
    ----------
    table : DataFrame, one row a group
    caption : str
    figsize : (width, height), optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(table)
    k = max(len(names) - 1, 1)
    figure = picture(*(figsize or (2.3 * k + 0.9, 2.2 * k + 0.6)))
    axes = figure.subplots(k, k, squeeze=False, sharex="col", sharey="row")
    for i, j in np.ndindex(k, k):
        ax = axes[i, j]
        if j > i:
            ax.remove()
            continue
        x, y = (names[j], names[i + 1]) if len(names) > 1 else (names[0], names[0])
        _points(ax, table[x], table[y], names=(x if i == k - 1 else "", y if j == 0 else ""))
    figure.supxlabel(wrap(caption, int(figure.get_figwidth() * 17)), fontsize=6.5, color=QUIET)
    return figure


def _points(ax: Any, x: pd.Series, y: pd.Series, names: tuple[str, str]) -> None:
    ax.plot(x, y, "o", color=ACCENT, markersize=3.5, alpha=0.8)
    r = x.corr(y)
    if np.isfinite(r):
        ax.set_title(f"r = {r:.2f}", fontsize=SMALL, loc="right")
    ax.set_xlabel(wrap(names[0], 24), fontsize=SMALL)
    ax.set_ylabel(wrap(names[1], 24), fontsize=SMALL)
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
