"""The one style of all pictures: colours, sizes, how texts are set and where axes are bare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.arrays import Array

INK, QUIET, FAINT, ACCENT = "#1b1b1b", "#7a7a7a", "#d9d9d9", "#1f5fa8"
# Where lines must differ: the accent, then Okabe and Ito's, which the colour-blind can tell apart.
LINES = (ACCENT, "#d55e00", "#009e73", "#b0629a", "#4d4d4d", "#c98a00")
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (6, 2, 1, 2, 1, 2)), (0, (8, 3)))
BAND = 0.18  # opacity
TEXT, SMALL, TINY = 8.0, 7.0, 6.5  # points: names; ticks and numbers; the caption
LINE = 1.3  # height of a line of text in its size
POINT = 3.2  # size of a point
GLUE = "\N{NO-BREAK SPACE}"  # between what stays on one line
MARKS = ".,:_/)|-("  # behind (or before the last of) which a long word may be cut
EM = 10.0  # points at which texts are measured


def plain(text: str) -> str:
    """A name as it is: matplotlib would set what stands between two dollars as a formula."""
    return text.replace("$", r"\$")


@lru_cache(maxsize=4096)
def _width(text: str) -> float:
    """In points, at ``EM`` points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=EM)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def inches(text: str, size: float) -> float:
    """Width of one line of text of ``size`` points."""
    return sum(map(_width, text)) * size / EM / 72


def wrap(text: str, width: float, size: float = TEXT) -> str:
    """A text over several lines of at most ``width`` inches, long words broken."""
    lines = [""]
    for word in re.split(r"[ \t\r\n\f\v]+", text.strip()):
        for k, piece in enumerate(_pieces(word, width, size)):
            joined = f"{lines[-1]} {piece}" if lines[-1] and not k else piece
            if k or (lines[-1] and inches(joined, size) > width):
                lines.append(piece)
            else:
                lines[-1] = joined
    return plain("\n".join(lines))


def _pieces(word: str, width: float, size: float) -> Iterator[str]:
    """A word cut where it must be, at a mark in its last half if there is one."""
    while inches(word, size) > width and len(word) > 4:
        fits = 1
        while inches(word[: fits + 1], size) <= width:
            fits += 1
        places = range(fits // 2, fits)
        marks = [k + (word[k] != "(") for k in places if word[k] in MARKS]
        kept = [end for end in marks if len(word) - end > 2] or marks  # no lone bracket
        end = kept[-1] if kept else fits
        yield word[:end]
        word = word[end:]
    yield word


def cut(text: str, width: float, size: float = TEXT) -> str:
    """A text of one line, its end left out where it is too long."""
    line = " ".join(text.split())
    if inches(line, size) <= width:
        return plain(line)
    while line and inches(f"{line} …", size) > width:
        line = line[:-1]
    return plain(f"{line.rstrip()} …")


def tall(text: str, size: float) -> float:
    """Inches that a text of several lines takes."""
    return (text.count("\n") + 1) * size * LINE / 72 if text else 0.0


def number(value: float) -> str:
    """Three digits; whole numbers up to a million in full."""
    whole = 1000 <= abs(value) < 1e6
    return (f"{value:.0f}" if whole else f"{value:.3g}").replace("-", "−")


def interval_text(estimate: float, lower: float, upper: float) -> str:
    """``1.2 [0.9, 1.5]``."""
    return f"{number(estimate)} [{number(lower)}, {number(upper)}]"


def bare(ax: Any) -> None:
    """Axes as every picture has them: left and bottom, small ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(QUIET)
    ax.tick_params(labelsize=SMALL, color=QUIET, length=2.5)


def title(ax: Any, text: str) -> None:
    ax.set_title(text, fontsize=TEXT, loc="left", pad=3)


def labels(ax: Any, x: str = "", y: str = "") -> None:
    """What is on the axes."""
    ax.set_xlabel(plain(x), fontsize=TEXT)
    ax.set_ylabel(plain(y), fontsize=TEXT)


def spread(places: Sequence[float], gap: float) -> Array:
    """The nearest places that are at least ``gap`` apart, in the same order.

    Least squares by pooling adjacent violators.
    """
    order = np.argsort(places, kind="stable")
    shifts = gap * np.arange(len(order))
    blocks: list[tuple[float, int]] = []
    for place in np.asarray(places, dtype=float)[order] - shifts:
        blocks.append((place, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((m * a + n * b) / (m + n), m + n)]
    found = np.empty(len(order))
    found[order] = np.concatenate([np.full(n, mean) for mean, n in blocks]) + shifts
    return found


def opacity(n: int) -> float:
    """Of one of n points in one panel."""
    return float(np.clip(600 / max(n, 1), 0.12, 0.75))
