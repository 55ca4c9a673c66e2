"""Normal QQ pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from ..core.arrays import Array
from .canvas import MANY, below, canvas, check_place, left_of, nothing, panels, say
from .style import ACCENT, BAND, POINT, QUIET, labels, opacity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTILE = "standard normal quantile"
WORDS = "line through the quartiles; band: 95% of normal samples, point by point"
FINE = 200  # points of the band


def qq_panels(
    samples: Mapping[str, Array], what: str, caption: str, ax: Any = None, figsize: Any = None
) -> Figure:
    """Sorted values against normal quantiles, a panel a sample.

    Parameters
    ----------
    samples : mapping of a panel's name to its values
    what : str
        What the values are.
    caption : str
    ax : Axes, optional
        To draw into where there is one sample; by default a figure of its own.
    figsize : (width, height) or width, optional
        Of that figure, in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    told = f"{caption}; {WORDS}"
    check_place(ax, figsize)
    if len(samples) == 1:
        own = ax is None
        figure, ax = canvas(ax, figsize, lambda width: 0.8 * width + 0.5, 3.6)
        qq(ax, next(iter(samples.values())))
        labels(ax, QUANTILE, what)
        say(figure, ax, own, told)
        return figure
    many = len(samples) > MANY
    least, down = (1.05, 1.15) if many else (1.6, 2.1)
    figure, axes = panels(list(samples), figsize, least, down, most=6)
    for each, values in zip(axes, samples.values()):
        qq(each, values)
        each.locator_params(nbins=4)
    left_of(figure, what)
    below(figure, told, QUANTILE)
    return figure


def qq(ax: Any, values: Array) -> None:
    """Points, the line through the quartiles, and where normal samples would lie."""
    known = np.sort(values[np.isfinite(values)])
    n = len(known)
    if n < 2 or known[0] == known[-1]:
        nothing(ax, "they are all equal" if n else "there are none")
        return
    shares = (np.arange(1, n + 1) - 0.5) / n
    quantiles = special.ndtri(shares)
    middle, scale = _line(known)
    at = np.unique(np.linspace(1, n, min(n, FINE)).round())
    ends = [special.ndtri(special.betaincinv(at, n + 1 - at, p)) for p in (0.025, 0.975)]
    x = special.ndtri((at - 0.5) / n)
    band = [middle + scale * end for end in ends]
    ax.fill_between(x, *band, color=ACCENT, alpha=BAND, linewidth=0)
    reach = quantiles[[0, -1]]
    ax.plot(reach, middle + scale * reach, color=QUIET, linewidth=1)
    dots = {"markersize": POINT, "alpha": max(opacity(n), 0.4), "markeredgewidth": 0}
    ax.plot(quantiles, known, "o", color=ACCENT, **dots)


def _line(known: Array) -> tuple[float, float]:
    """Intercept and slope through the quartiles; by moments where these are equal."""
    low, high = np.quantile(known, [0.25, 0.75])
    if high > low:
        return float(low + high) / 2, float((high - low) / (2 * special.ndtri(0.75)))
    return float(known.mean()), float(known.std())
