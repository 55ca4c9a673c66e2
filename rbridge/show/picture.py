"""What all pictures share. Nothing is told by colour alone, and no global state changes."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from ..errors import InstallationError

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError:
    raise InstallationError("pictures need matplotlib: pip install matplotlib") from None

MARKERS = "osD^vPX*<>"
INK, QUIET, ACCENT = "#1b1b1b", "#8a8a8a", "#1f5fa8"
SMALL = 8  # points


class Picture(Figure):  # type: ignore[misc]
    """A Figure that notebooks show although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def picture(width: float, height: float, title: str = "") -> Picture:
    figure = Picture(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(plain(textwrap.fill(title, int(width * 11))), fontsize=10)
    return figure


def panels(names: Sequence[str], height: float, title: str) -> tuple[Picture, list[Any]]:
    """A figure with one titled Axes a name, at most two in a row."""
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    figure = picture(4.4 * columns + 0.6, height * rows + 0.5, title)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[len(names) :]:
        ax.remove()
    for ax, name in zip(axes, names):
        ax.set_title(wrap(name), fontsize=9, loc="left")
        ax.tick_params(labelsize=SMALL)
    return figure, axes[: len(names)]


def plain(text: str) -> str:
    """A name as it is: matplotlib would set what stands between two dollars as a formula."""
    return text.replace("$", r"\$")


def wrap(text: str, width: int = 44) -> str:
    """Long names over several lines."""
    return plain("\n".join(textwrap.wrap(text, width)))


def rows_of(ax: Any, labels: Sequence[str]) -> None:
    """One labelled row each, the first on top."""
    wrapped = ["\n".join(wrap(line) for line in label.split("\n")) for label in labels]
    ax.set_yticks(range(len(labels)), wrapped, fontsize=SMALL)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
