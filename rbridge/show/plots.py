"""Pictures of results, by matplotlib: each function returns a Figure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import RBridgeError
from .picture import ACCENT, INK, MARKERS, QUIET, SMALL, panels, picture, rows_of, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..many.bootstrap import Bootstrap
    from ..check.crosscheck import Crosscheck
    from ..analysis.profile import Profile
    from ..results import LmeResults, VarcompVcov

FLOOR = 1e-17  # of gaps on a log axis: a gap of 0 is drawn here


# --- intervals --------------------------------------------------------------------------------


def varcomp_forest(
    fit: LmeResults,
    methods: Sequence[str] | None = None,
    level: float = 0.95,
    bootstrap: Any = None,
) -> Figure:
    """Forest of the variance components: estimates with intervals by several methods.

    Parameters
    ----------
    fit : LmeResults
    methods : sequence of str, optional
        Wald intervals by the standard errors ``delta``, ``expected``, ``average``, ``observed``;
        and those of ``fit.intervals(methods=…)``: ``nlme``, ``log``, ``satterthwaite``,
        ``profile`` …. By default all that take no refits, and with ``bootstrap`` its too.
    level : float
    bootstrap : Bootstrap, optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a component. An interval that leaves the panel ends in an arrow; a method without
        an interval says so.
    """
    from ..analysis.intervals import interval_table
    from ..results import METHODS

    drawn = ("percentile", "bca") if bootstrap is not None else ()
    default = (*METHODS, "log", "nlme", "profile", *(f"bootstrap-{kind}" for kind in drawn))
    chosen = list(methods or default)
    other = [method for method in chosen if method not in METHODS]
    table = interval_table(fit, other, level, bootstrap=bootstrap) if other else pd.DataFrame()
    title = f"{level:.0%} intervals of the variance components: {fit.snapshot.spec['fixed']}"
    figure, axes = panels(list(fit.varcomp.index), 0.19 * len(chosen) + 0.75, title)
    wald = {method: _wald(fit, method, level) for method in chosen if method in METHODS}
    for ax, (name, estimate) in zip(axes, fit.varcomp.items()):
        rows = [_ends(method, name, wald, table) for method in chosen]
        _forest(ax, estimate, rows)
        rows_of(ax, [f"Wald, {m}" if m in wald else m for m in chosen])
    return figure


def _wald(fit: LmeResults, method: str, level: float) -> pd.DataFrame | str:
    try:
        return fit.varcomp_vcov(method).conf_int(level)
    except RBridgeError as error:
        return str(error)


def _ends(
    method: str, name: str, wald: Mapping[str, pd.DataFrame | str], table: pd.DataFrame
) -> tuple[float, float, str]:
    """Lower and upper end, or why there are none."""
    if method in wald:
        found = wald[method]
        if isinstance(found, str):
            return np.nan, np.nan, found
        return found.loc[name, "lower"], found.loc[name, "upper"], ""
    row = table[(table.component == name) & (table.method == method)]
    if row.empty:
        return np.nan, np.nan, "not for this component"
    return row.lower.iloc[0], row.upper.iloc[0], row.note.iloc[0]


def _forest(ax: Any, estimate: float, rows: Sequence[tuple[float, float, str]]) -> None:
    low, high = _limits(estimate, rows)
    ax.axvline(estimate, color=QUIET, linestyle=":", linewidth=1)
    for y, (lower, upper, why) in enumerate(rows):
        if np.isnan([lower, upper]).any():
            text = textwrap.shorten(f"none: {why}", 48, placeholder=" …")
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            at = {"va": "center", "transform": ax.get_yaxis_transform()}
            ax.text(0.01, y, text, fontsize=7, bbox=paper, **at)
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


def vcov_picture(vcov: VarcompVcov, level: float = 0.95) -> Figure:
    """Estimates with Wald intervals in multiples of their size, and their correlations.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table, n = vcov.to_frame(level), len(vcov.estimates)
    figure = picture(10.5, 0.45 * n + 1.9, f"Variance components, {vcov.source}")
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
    _correlations(right, vcov.corr)
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


def crosscheck_gaps(check: Crosscheck) -> Figure:
    """The gaps A, B, C of every standard error on a log axis, with their tolerances.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from ..check.crosscheck import GAPS
    from ..check.tolerances import CHECK

    table = check.table
    figure = picture(9, 0.3 * len(table) + 2.4, f"Cross-check: {check.title}")
    ax = figure.subplots()
    styles = dict(zip(GAPS, (("o", "--"), ("s", "-."), ("^", ":"))))
    for gap, (one, other) in GAPS.items():
        marker, line = styles[gap]
        if gap not in table:
            ax.plot([], [], " ", label=f"{gap}: {one} − {other}, not available")
            continue
        sizes = table[gap].abs().clip(lower=FLOOR)
        ax.plot(sizes, range(len(table)), marker, label=f"{gap}: {one} − {other}", fillstyle="none")
        limit = CHECK[gap].value
        ax.axvline(limit, linestyle=line, color=QUIET, label=f"tolerance of {gap}: {limit:g}")
    rows_of(ax, list(table.index))
    ax.set_xscale("log")
    ax.set_xlim(FLOOR / 3, 3)
    ax.set_xlabel("relative gap of the standard errors (none at all: left edge)", fontsize=9)
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}
    ax.legend(ncols=2, fontsize=SMALL, **above)
    return figure


# --- curves and replicates --------------------------------------------------------------------


def profile_curves(profile: Profile) -> Figure:
    """Profile likelihoods as ζ against the value: straight where a Wald interval would do.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a component; dashed lines mark the interval.
    """
    title = f"Profile likelihood, {profile.level:.0%} intervals"
    figure, axes = panels(list(profile.by_name), 2.3, title)
    for ax, curve in zip(axes, profile.by_name.values()):
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
    boot: Bootstrap, level: float = 0.95, kind: str = "percentile"
) -> Figure:
    """Histograms of the replicates: the estimate (solid line) and its interval (dashed).

    Returns
    -------
    matplotlib.figure.Figure
    """
    ends = boot.conf_int(level, kind=kind)
    counts = f"{len(boot.replicates)} replicates, {len(boot.failures)} failed"
    title = f"Parametric bootstrap, {counts}; {kind} intervals, {level:.0%}"
    figure, axes = panels(list(boot.replicates), 1.9, title)
    for ax, (name, values) in zip(axes, boot.replicates.items()):
        ax.hist(values, bins=min(50, max(10, len(values) // 20)), color="0.8", edgecolor="0.6")
        estimate, (lower, upper) = boot.estimates[name], ends.loc[name]
        ax.axvline(estimate, color=ACCENT, linewidth=1.8)
        for end in (lower, upper):
            ax.axvline(end, color=INK, linestyle="--", linewidth=1)
        ax.set_xlabel(f"{estimate:.4g} [{lower:.4g}, {upper:.4g}]", fontsize=SMALL)
        ax.set_yticks([])
    return figure
