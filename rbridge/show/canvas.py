"""Where a picture is drawn: into the caller's Axes, or on a figure of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import SpecError
from .picture import QUIET, SMALL, picture, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def canvas(ax: Any, figsize: Any, width: float, height: float) -> tuple[Figure, Any]:
    """The figure and the Axes to draw into.

    Parameters
    ----------
    ax : Axes or None
        The caller's.
    figsize : (width, height) or None
        Of a figure of its own, in inches; not together with ``ax``.
    width, height : float
        By default.

    Raises
    ------
    SpecError
        Both, or something else than an Axes.
    """
    check_place(ax, figsize)
    if ax is None:
        figure = picture(*(figsize or (width, height)))
        ax = figure.subplots()
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    return ax.figure, ax


def check_place(ax: Any, figsize: Any) -> None:
    """Refuse what is no Axes, and a size for a figure that is there already."""
    if ax is not None and figsize is not None:
        raise SpecError("give ax or figsize, not both: the figure of ax has its size")
    if ax is not None and not hasattr(ax, "transAxes"):
        raise SpecError(f"ax must be a matplotlib Axes, not {type(ax).__name__}")


def caption_below(figure: Figure, ax: Any, caption: str) -> None:
    """How the numbers were had, under the figure; in the caller's own, under nothing of theirs."""
    if len(figure.axes) == 1:
        width = int(figure.get_figwidth() * 19)
        figure.supxlabel(wrap(caption, width), fontsize=6.5, color=QUIET)
    else:
        ax.set_title(wrap(caption, 60), fontsize=6.5, color=QUIET, loc="left")
