"""The picture of profile likelihoods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from ..core.intervals.profile import Curve
from .canvas import WIDE, below, panels
from .lines import smooth
from .style import ACCENT, BAND, FAINT, POINT, QUIET, SMALL, interval_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEYOND = 1.12  # how far a curve is shown, in ends of the interval


def profile_curves(
    curves: Mapping[str, Curve], level: float, caption: str, figsize: Any = None
) -> Figure:
    """Profile likelihoods as ζ against the value: straight where a Wald interval would do.

    Parameters
    ----------
    curves : mapping of a quantity's name to its curve
    level : float
        Of the intervals.
    caption : str
        Of what likelihood.
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a quantity; the interval is the shaded part of its axis.
    """
    one = len(curves) == 1
    size = {"usual": 3.6 if one else WIDE, "extra": 0.6}
    figure, axes = panels(list(curves), figsize, 1.9, 1.75, most=3, **size)  # type: ignore
    z = float(special.ndtri((1 + level) / 2))
    for k, (ax, curve) in enumerate(zip(axes, curves.values())):
        _curve(ax, curve, z)
        ax.set_xlabel(interval_text(curve.estimate, curve.lower, curve.upper), fontsize=SMALL)
    figure.supylabel("ζ", fontsize=SMALL + 2)
    means = f"shaded, and below: the {level:.0%} interval, |ζ| ≤ {z:.2f}; straight: Wald would do"
    below(figure, f"{caption}; {means}")
    return figure


def _curve(ax: Any, curve: Curve, z: float) -> None:
    x, zeta = smooth(curve.value, curve.zeta)
    shown = np.isfinite(x) & (np.abs(zeta) <= BEYOND * z)
    ends = np.clip([curve.lower, curve.upper], x[shown].min(), x[shown].max())
    ax.axvspan(*ends, color=ACCENT, alpha=BAND, linewidth=0)
    for height in (-z, z):
        ax.axhline(height, color=QUIET, linestyle=":", linewidth=0.8)
    ax.axhline(0, color=FAINT, linewidth=0.8)
    ax.plot(x[shown], zeta[shown], color=ACCENT, linewidth=1.5)
    ax.plot(curve.estimate, 0, "o", color=ACCENT, markersize=POINT + 1.3)
    ax.set_ylim(-1.3 * z, 1.3 * z)
    ax.locator_params(axis="x", nbins=4)
