"""The picture of a simulated likelihood-ratio test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import Array
from .canvas import canvas, caption_below
from .picture import ACCENT, INK, QUIET, SMALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = ((INK, "--"), (ACCENT, "-"))


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
    figure, ax = canvas(ax, figsize, 4.4, 4.2)
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    for k, ((name, values), (color, line)) in enumerate(zip(nominal.items(), STYLES)):
        ax.plot(simulated, values, line, color=color, linewidth=1.4)
        at = int(np.searchsorted(simulated, 0.45))
        place = {"xytext": (-10, 10) if k == 0 else (14, -20), "textcoords": "offset points"}
        side = {"ha": "right"} if k == 0 else {"ha": "left"}
        ax.annotate(name, (simulated[at], values[at]), color=color, fontsize=SMALL, **place, **side)
    ax.axvline(p, color=QUIET, linestyle=":", linewidth=1)
    ax.annotate(
        f"the data: p = {p:.3g}",
        (p, 1.0),
        xycoords=ax.get_xaxis_transform(),
        fontsize=SMALL,
        xytext=(4 if p < 0.5 else -4, -8),
        textcoords="offset points",
        ha="left" if p < 0.5 else "right",
    )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("simulated p-value", fontsize=SMALL)
    ax.set_ylabel("nominal p-value", fontsize=SMALL)
    caption_below(figure, ax, caption)
    return figure
