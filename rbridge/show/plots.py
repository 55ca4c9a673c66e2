"""Pictures of results, by matplotlib: each function returns a Figure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.intervals.profile import Curve
from .picture import ACCENT, INK, MARKERS, QUIET, SMALL, panels, picture, plain, rows_of, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FLOOR = 1e-17  # of gaps on a log axis: a gap of 0 is drawn here


# --- intervals --------------------------------------------------------------------------------


def varcomp_forest(table: pd.DataFrame, title: str) -> Figure:
    """Forest of the variance components: estimates with intervals by several methods.

    Parameters
    ----------
    table : DataFrame
        ``component``, ``method``, ``estimate``, ``lower``, ``upper`` and, where there is no
        interval, why not in ``note``: every method for every component.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        A panel a component. An interval that leaves the panel ends in an arrow; a method without
        an interval says so.
    """
    by_component = dict(iter(table.groupby("component", sort=False)))
    height = 0.19 * table.method.nunique() + 0.75
    figure, axes = panels(list(by_component), height, title)
    for ax, rows in zip(axes, by_component.values()):
        ends = list(zip(rows.lower, rows.upper, rows.note))
        _forest(ax, rows.estimate.iloc[0], ends)
        rows_of(ax, list(rows.method))
    return figure


def _forest(ax: Any, estimate: float, rows: Sequence[tuple[float, float, str]]) -> None:
    low, high = _limits(estimate, rows)
    ax.axvline(estimate, color=QUIET, linestyle=":", linewidth=1)
    for y, (lower, upper, why) in enumerate(rows):
        if np.isnan([lower, upper]).any():
            text = textwrap.shorten(f"none: {why}", 48, placeholder=" …")
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            at = {"va": "center", "transform": ax.get_yaxis_transform()}
            ax.text(0.01, y, plain(text), fontsize=7, bbox=paper, **at)
            continue
        ends = np.clip([lower, upper], low, high)
        ax.plot(ends, [y, y], color=INK, linewidth=1.2)
        for end, inside, arrow in zip(ends, (lower >= low, upper <= high), "<>"):
            ax.plot(end, y, marker="|" if inside else arrow, color=INK, markersize=6)
        ax.plot(estimate, y, marker=MARKERS[y % len(MARKERS)], color=ACCENT, markersize=5)
    margin = 0.04 * (high - low)
    ax.set_xlim(low - margin, high + margin)


def _limits(estimate: float, rows: Sequence[tuple[float, float, str]]) -> tuple[float, float]:
    """Room for every interval that is not many times as long as the usual one."""
    ends = np.array([row[:2] for row in rows if np.isfinite(row[:2]).all()]).reshape(-1, 2)
    reach = np.abs(ends - estimate).max(axis=1, initial=0.0)
    usual = ends[reach <= 6 * np.median(reach)] if len(ends) else ends
    low, high = usual.min(initial=estimate), usual.max(initial=estimate)
    return (low, high) if high > low else (estimate - 1, estimate + 1)


def vcov_picture(table: pd.DataFrame, corr: pd.DataFrame, source: str) -> Figure:
    """Estimates with their intervals in multiples of their size, and their correlations.

    Parameters
    ----------
    table : DataFrame
        ``estimate``, ``se``, ``lower``, ``upper``; ``attrs["method"]`` names the intervals.
    corr : DataFrame
    source : str
        How the covariance was had, in words.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = picture(10.5, 0.45 * len(table) + 1.9, f"Variance components, {source}")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.3, 1]})
    for y, (estimate, _, lower, upper) in enumerate(table.to_numpy()):
        size = abs(estimate) or 1.0
        left.plot([lower / size, upper / size], [y, y], color=INK, marker="|")
        left.plot(estimate / size, y, color=ACCENT, marker="o", markersize=5)
    labels = [
        f"[{i}] {name}\n{row.estimate:.4g} [{row.lower:.4g}, {row.upper:.4g}]"
        for i, (name, row) in enumerate(table.iterrows(), 1)
    ]
    rows_of(left, labels)
    left.axvline(0, color=QUIET, linestyle=":", linewidth=1)
    label = f"{table.attrs['method']}; in units of the estimate"
    left.set_xlabel(wrap(label, 70), fontsize=SMALL)
    left.tick_params(axis="x", labelsize=SMALL)
    _correlations(right, corr)
    return figure


def _correlations(ax: Any, corr: pd.DataFrame) -> None:
    """A heat map that says its numbers; rows as in the panel on its left."""
    n = len(corr)
    ax.imshow(
        corr.to_numpy(), cmap="RdBu", vmin=-1.4, vmax=1.4, aspect="auto"
    )  # pale: text is read
    for i, j in np.ndindex(n, n):
        ax.text(
            j, i, f"{corr.iloc[i, j]:.2f}", ha="center", va="center", fontsize=SMALL if n < 9 else 6
        )
    numbers = [f"[{i + 1}]" for i in range(n)]
    ax.set_xticks(range(n), numbers, fontsize=SMALL)
    ax.set_yticks(range(n), numbers, fontsize=SMALL)
    ax.set_ylim(n - 0.4, -0.6)
    ax.set_title("correlations of the estimates, rows as on the left", fontsize=9, loc="left")


# --- cross-check ------------------------------------------------------------------------------


def crosscheck_gaps(
    table: pd.DataFrame, gaps: Mapping[str, tuple[str, float]], title: str
) -> Figure:
    """The gaps of every standard error on a log axis, with their tolerances.

    Parameters
    ----------
    table : DataFrame
        One row a parameter, one column a gap; a gap that could not be had has no column.
    gaps : mapping of a gap's name to what it compares and its tolerance
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = picture(9, 0.3 * len(table) + 2.4, title)
    ax = figure.subplots()
    styles = (("o", "--"), ("s", "-."), ("^", ":"))
    for (gap, (compared, limit)), (marker, line) in zip(gaps.items(), styles):
        if gap not in table:
            ax.plot([], [], " ", label=f"{gap}: {compared}, not available")
            continue
        sizes = table[gap].abs().clip(lower=FLOOR)
        ax.plot(sizes, range(len(table)), marker, label=f"{gap}: {compared}", fillstyle="none")
        ax.axvline(limit, linestyle=line, color=QUIET, label=f"tolerance of {gap}: {limit:g}")
    rows_of(ax, list(table.index))
    ax.set_xscale("log")
    ax.set_xlim(FLOOR / 3, 3)
    ax.set_xlabel("relative gap of the standard errors (none at all: left edge)", fontsize=9)
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}
    ax.legend(ncols=2, fontsize=SMALL, **above)
    return figure


# --- curves and replicates --------------------------------------------------------------------


def profile_curves(curves: Mapping[str, Curve], level: float) -> Figure:
    """Profile likelihoods as ζ against the value: straight where a Wald interval would do.

    Parameters
    ----------
    curves : mapping of a quantity's name to its curve
    level : float
        Of the intervals.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a component; dashed lines mark the interval.
    """
    figure, axes = panels(list(curves), 2.3, f"Profile likelihood, {level:.0%} intervals")
    for ax, curve in zip(axes, curves.values()):
        ax.plot(curve.value, curve.zeta, color=ACCENT, marker=".", markersize=4)
        ax.plot(curve.estimate, 0, "D", color=INK, markersize=5)
        ax.axhline(0, color="0.85", linewidth=0.8)
        for end in (curve.lower, curve.upper):
            if np.isfinite(end):
                ax.axvline(end, color=INK, linestyle="--", linewidth=1)
        ax.set_xlabel(
            f"{curve.estimate:.4g} [{curve.lower:.4g}, {curve.upper:.4g}]", fontsize=SMALL
        )
        ax.set_ylabel("ζ", fontsize=9)
    return figure


def bootstrap_distributions(
    replicates: pd.DataFrame, estimates: pd.Series, ends: pd.DataFrame, title: str
) -> Figure:
    """Histograms of the replicates: the estimate (solid line) and its interval (dashed).

    Parameters
    ----------
    replicates : DataFrame, one column a quantity
    estimates : Series
    ends : DataFrame
        ``lower``, ``upper`` of each quantity.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = panels(list(replicates), 1.9, title)
    for ax, (name, values) in zip(axes, replicates.items()):
        ax.hist(values, bins=min(50, max(10, len(values) // 20)), color="0.8", edgecolor="0.6")
        estimate, (lower, upper) = estimates[name], ends.loc[name]
        ax.axvline(estimate, color=ACCENT, linewidth=1.8)
        for end in (lower, upper):
            ax.axvline(end, color=INK, linestyle="--", linewidth=1)
        ax.set_xlabel(f"{estimate:.4g} [{lower:.4g}, {upper:.4g}]", fontsize=SMALL)
        ax.set_yticks([])
    return figure
