"""Where a picture is drawn: into the caller's Axes, or on a figure of its own that pyplot knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import SpecError
from .picture import picture
from .style import QUIET, SMALL, TEXT, TINY, bare, inches, tall, title, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 5.0  # inches of a picture of one panel
WIDE = 7.0  # of many
MANY = 6  # panels from which on they are small
PAD = 0.06  # inches around the caption
EDGE = 0.03  # inches along the other edges


def width_of(figsize: Any, usual: float) -> float:
    """Inches across: of ``figsize``, or the usual ones."""
    if figsize is None:
        return usual
    try:
        across = float(figsize) if not isinstance(figsize, (tuple, list)) else float(figsize[0])
    except (TypeError, ValueError, IndexError):
        across = math.nan
    if not 0 < across < math.inf or (isinstance(figsize, (tuple, list)) and len(figsize) != 2):
        raise SpecError(f"figsize is (width, height) or a width alone, in inches, not {figsize!r}")
    return across


def new_figure(figsize: Any, usual: float, height: Callable[[float], float]) -> Figure:
    """A figure of ``figsize``: both, or a width (by default the usual one) with its height."""
    width = width_of(figsize, usual)
    tall_ = figsize[1] if isinstance(figsize, (tuple, list)) else height(width)
    return picture(width, float(tall_))


def canvas(
    ax: Any, figsize: Any, height: Callable[[float], float], usual: float = WIDTH
) -> tuple[Figure, Any]:
    """The figure and the Axes of a picture of one panel.

    Parameters
    ----------
    ax : Axes or None
        The caller's.
    figsize : (width, height), width or None
        Of a figure of its own, in inches; not together with ``ax``.
    height : callable
        Of a width in inches: what the picture needs by default.
    usual : float
        Width by default.

    Raises
    ------
    SpecError
        Both, or something else than an Axes.
    """
    check_place(ax, figsize)
    if ax is None:
        ax = new_figure(figsize, usual, height).subplots()
    bare(ax)
    return figure_of(ax), ax


def figure_of(ax: Any) -> Figure:
    """The whole figure, also where the Axes are on a part of it."""
    return ax.figure.figure


def check_place(ax: Any, figsize: Any) -> None:
    """Refuse what is no Axes, and a size for a figure that is there already."""
    if ax is not None and figsize is not None:
        raise SpecError("give ax or figsize, not both: the figure of ax has its size")
    if ax is not None and not hasattr(ax, "transAxes"):
        raise SpecError(f"ax must be a matplotlib Axes, not {type(ax).__name__}")


def across(ax: Any, figsize: Any, usual: float = WIDTH) -> float:
    """Inches that a picture of one panel has, before it is drawn."""
    check_place(ax, figsize)
    if ax is None:
        return width_of(figsize, usual)
    return float(ax.get_window_extent().width / figure_of(ax).dpi) + 1.0  # and beside the Axes


def below(figure: Figure, caption: str, name: str = "") -> None:
    """How the numbers were had, in small print under a figure of our own; above it an axis's name.

    The name is that of an axis that all panels share.
    """
    width, height = figure.get_size_inches()
    print_, named = wrap(caption, width - 2 * PAD, TINY), wrap(name, width - 2 * PAD, TEXT)
    used = PAD + tall(print_, TINY)
    style = {"fontsize": TINY, "color": QUIET, "linespacing": 1.15}
    figure.text(PAD / width, PAD / height, print_, va="bottom", ha="left", **style)
    if name:
        figure.text(0.5, (used + PAD / 2) / height, named, ha="center", fontsize=TEXT)
        used += tall(named, TEXT) + PAD / 2
    share = min((used + PAD / 2) / height, 0.8)
    aside, above = EDGE / width, EDGE / height
    rect = (aside, share, 1 - 2 * aside, 1 - share - above)
    figure.get_layout_engine().set(rect=rect)


def left_of(figure: Figure, name: str) -> None:
    """The name of the y axis that all panels share."""
    figure.supylabel(wrap(name, figure.get_figheight() - 1.0, TEXT), fontsize=TEXT)


def say(figure: Figure, ax: Any, own: bool, caption: str) -> None:
    """The caption of a picture of one panel: under our own figure, above the caller's Axes."""
    if own:
        below(figure, caption)
        return
    room = ax.get_window_extent().width / figure.dpi
    style = {"fontsize": TINY, "color": QUIET, "loc": "left"}
    ax.set_title(wrap(caption, room, TINY), **style)


def grid_of(n: int, width: float, least: float, most: int = 9) -> tuple[int, int]:
    """Rows and columns of n panels, each at least ``least`` inches wide."""
    columns = max(1, min(n, most, int((width - 0.3) / least)))
    rows = math.ceil(n / columns)
    return rows, math.ceil(n / rows)


def panels(
    names: Sequence[str],
    figsize: Any,
    least: float,
    height: float,
    *,
    most: int = 9,
    usual: float = WIDE,
    extra: float = 0.6,
    share: bool | str = False,
    sharex: bool | str = False,
    left: float = 0.6,
) -> tuple[Figure, list[Any]]:
    """A figure with a panel for each name.

    Parameters
    ----------
    names : sequence of str
        Titles, wrapped to their panel.
    figsize : (width, height), width or None
    least, height : float
        Inches of a panel: at least across, and down.
    most : int
        Columns.
    usual, extra : float
        Width by default; height beside that of the panels, for what stands below.
    share, sharex
        Of the y axis and the x axis, as for ``subplots``.
    left : float
        Inches that names take at the left of the panels.
    """
    rows, columns = grid_of(len(names), width_of(figsize, usual), least, most)
    figure = new_figure(figsize, usual, lambda width: rows * height + extra)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=share, sharex=sharex).flat)
    room = (figure.get_figwidth() - left) / columns - (0.1 if share or left > 0.6 else 0.35)
    for k, ax in enumerate(axes):
        if k >= len(names):
            axes[k - columns].tick_params(labelbottom=True)
            ax.remove()
            continue
        bare(ax)
        title(ax, wrap(names[k], room, TEXT))
    return figure, axes[: len(names)]


def nothing(ax: Any, why: str) -> None:
    """A panel that has nothing to show, and why."""
    ax.text(0.5, 0.5, why, ha="center", transform=ax.transAxes, fontsize=SMALL, color=QUIET)
    ax.set_xticks([])
    ax.set_yticks([])


def room_for(names: Sequence[str], size: float, most: float) -> float:
    """Inches that the longest of some names takes, at most ``most``."""
    return min(max((inches(name, size) for name in names), default=0.0), most)
