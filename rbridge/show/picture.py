"""A picture's figure: pyplot knows it, and a notebook shows it once."""

from __future__ import annotations

import io
from typing import Any

from ..errors import InstallationError

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError:
    raise InstallationError("pictures need matplotlib: pip install matplotlib") from None

FILES = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}  # backends that show nothing


class Picture(Figure):  # type: ignore[misc]
    """A Figure that a notebook shows once, be it the value of a cell or open in pyplot or both."""

    def _ipython_display_(self) -> None:
        """Shown as the value of a cell: the end of the cell need not show it again."""
        from matplotlib import pyplot

        if "inline" in pyplot.get_backend():
            pyplot.close(self)
        raise NotImplementedError  # IPython goes on to its usual formats

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def picture(width: float, height: float) -> Figure:
    """A new figure, the current one of pyplot.

    Where nothing is ever shown, as in a script that writes files, pyplot keeps the newest of
    these pictures only, half as many as it warns of; the figure that was returned stays whole. On a
    machine without a screen for the backend that was asked for, pyplot does not know it.
    """
    from matplotlib import pyplot

    size = {"figsize": (width, height), "layout": "constrained"}
    _forget(pyplot)
    try:
        return pyplot.figure(FigureClass=Picture, **size)
    except ImportError:
        return Picture(**size)


def _forget(pyplot: Any) -> None:
    """Close the oldest pictures before pyplot would warn, where no window goes with them."""
    most = int(pyplot.rcParams["figure.max_open_warning"])
    if pyplot.get_backend().lower() not in FILES or most < 1:
        return
    known = pyplot.get_fignums()
    ours = [k for k in known if isinstance(pyplot.figure(k), Picture)] if len(known) > 1 else []
    room = min(most // 2, most - 1 - (len(known) - len(ours)))  # the rest is for others
    for k in ours[: max(len(ours) - room + 1, 0)]:
        pyplot.close(k)
