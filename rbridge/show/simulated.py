"""The picture of a simulated likelihood-ratio test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import Array
from .canvas import canvas, say
from .style import ACCENT, DASHES, INK, QUIET, TEXT, labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (ACCENT, INK)


def p_values_picture(
    simulated: Array,
    nominal: Mapping[str, Array],
    p: float,
    caption: str,
    ax: Any = None,
    figsize: Any = None,
) -> Figure:
    """Nominal against simulated p-values.

    Parameters
    ----------
    simulated : (n,) array
        In ascending order.
    nominal : mapping of a distribution's name to its (n,) p-values of the same ratios
    p : float
        Simulated p-value of the data.
    caption : str
    ax, figsize
        As for :func:`rbridge.show.serial.acf_picture`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    own = ax is None
    figure, ax = canvas(ax, figsize, lambda width: 0.95 * width + 0.4, 3.6)
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    above = np.mean([np.mean(values - simulated) for values in nominal.values()]) > 0
    for k, (name, values) in enumerate(nominal.items()):
        color, dashes = COLORS[k % len(COLORS)], DASHES[k % len(DASHES)]
        ax.plot(simulated, values, color=color, linestyle=dashes, linewidth=1.5)
        place = 0.05 + 0.075 * k if above else 0.95 - 0.075 * k  # in the empty corner
        at = {"transform": ax.transAxes, "ha": "right" if above else "left", "va": "center"}
        mark = {"-": "solid", "--": "dashed"}[dashes]  # type: ignore[index]
        text = f"{mark}: {name}"
        ax.text(0.98 if above else 0.02, place, text, color=color, fontsize=TEXT, **at)
    ax.axvline(p, color=QUIET, linestyle=":", linewidth=1)
    side = "left" if p < 0.5 else "right"
    at = {"transform": ax.get_xaxis_transform(), "fontsize": TEXT, "ha": side}
    if own:
        ax.text(p, 1.01, f"the data: p = {p:.3g}", color=INK, va="bottom", **at)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    labels(ax, "simulated p-value", "nominal p-value")
    told = "" if own else f"; dotted: the data, p = {p:.3g}"
    say(figure, ax, own, f"{caption}{told}; grey: where a distribution holds")
    return figure
