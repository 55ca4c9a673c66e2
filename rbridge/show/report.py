"""Reports: a title and named parts, as text, HTML or markdown. Results know nothing of widths."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
import pandas as pd

Part = Union[str, pd.DataFrame]

TERMINAL = 80  # characters
_STYLE = "font-family:inherit;border-collapse:collapse;margin:0.3em 0"
_NAME = "text-align:left;font-weight:normal;padding:0 0.6em"
_VALUE = "text-align:right;padding:0 0.6em;white-space:nowrap"


@dataclass(frozen=True)
class Report:
    """A printable result.

    Attributes
    ----------
    title : str
    parts : sequence of (heading, text or DataFrame)
    """

    title: str
    parts: Sequence[tuple[str, Part]]

    def __str__(self) -> str:
        blocks = [self.title, "=" * len(self.title)]
        for heading, part in self.parts:
            blocks += ["", heading] if heading else [""]
            blocks.append(part if isinstance(part, str) else table_text(part))
        return "\n".join(blocks) + "\n"

    def __repr__(self) -> str:
        return str(self)

    def to_html(self) -> str:
        """HTML without external resources."""
        blocks = [f"<h4>{html.escape(self.title)}</h4>"]
        for heading, part in self.parts:
            blocks += [f"<b>{html.escape(heading)}</b>"] if heading else []
            blocks.append(_html(part))
        return f'<div style="overflow-x:auto">{"".join(blocks)}</div>'

    _repr_html_ = to_html

    def to_markdown(self) -> str:
        """Markdown with pipe tables."""
        blocks = [f"### {as_markdown(_line(self.title))}"]
        for heading, part in self.parts:
            blocks += [f"**{as_markdown(_line(heading))}**"] if heading else []
            blocks.append(as_markdown(part) if isinstance(part, str) else pipe_table(part))
        return "\n\n".join(blocks) + "\n"


def _line(text: str) -> str:
    return " ".join(text.splitlines())


def number(value: object) -> str:
    """A cell: six significant digits for numbers."""
    if isinstance(value, (bool, np.bool_, str)) or not isinstance(value, (int, float, np.number)):
        return str(value)
    return f"{value:.6g}"


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as text, its index as leading columns."""
    index = frame.index.to_frame(index=False).astype(str)
    index.columns = ["" if not isinstance(n, str) else n for n in frame.index.names]
    rows = frame.itertuples(index=False, name=None)
    names = [str(c) for c in frame.columns]
    body = pd.DataFrame([[number(value) for value in row] for row in rows], columns=names)
    return pd.concat([index, body], axis=1)


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """A square matrix with numbers for its columns, which stand before the names of its rows."""
    if frame.shape[0] != frame.shape[1] or list(frame.index) != list(frame.columns):
        return frame
    numbers = [f"[{i + 1}]" for i in range(len(frame))]
    names = [f"{n} {name}" for n, name in zip(numbers, frame.index)]
    return pd.DataFrame(frame.to_numpy(), index=names, columns=numbers)


def table_text(frame: pd.DataFrame) -> str:
    """An aligned table; a square one with long names numbers its columns."""
    cells = _cells(_numbered(frame))
    n_index = frame.index.nlevels
    widths = [max(map(len, [name, *cells.iloc[:, i]])) for i, name in enumerate(cells.columns)]
    rows = [list(cells.columns), *cells.to_numpy().tolist()]
    lines = []
    for row in rows:
        left = [text.ljust(width) for text, width in zip(row[:n_index], widths)]
        right = [text.rjust(width) for text, width in zip(row[n_index:], widths[n_index:])]
        lines.append("  ".join(left + right).rstrip())
    return "\n".join(lines)


def filled(text: str, indent: str = "") -> str:
    """A long line as several that fit a terminal; names and paths stay whole."""
    further = f"{indent}    "
    return textwrap.fill(
        text,
        TERMINAL,
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _html(part: Part) -> str:
    if isinstance(part, str):
        return f"<p>{html.escape(part)}</p>".replace("\n", "<br>")
    cells = _cells(_numbered(part))
    head = "".join(f'<th scope="col">{html.escape(str(c))}</th>' for c in cells.columns)
    rows = (_html_row(row, part.index.nlevels) for row in cells.to_numpy().tolist())
    return f'<table style="{_STYLE}"><tr>{head}</tr>{"".join(rows)}</table>'


def _html_row(cells: Sequence[str], n_index: int) -> str:
    names = (f'<th scope="row" style="{_NAME}">{html.escape(v)}</th>' for v in cells[:n_index])
    values = (f'<td style="{_VALUE}">{html.escape(v)}</td>' for v in cells[n_index:])
    return f"<tr>{''.join(names)}{''.join(values)}</tr>"


def pipe_table(frame: pd.DataFrame) -> str:
    """A table of markdown: no cell can end it, or be taken for HTML."""
    cells = _cells(frame)
    n_index = frame.index.nlevels
    rule = ["---" if i < n_index else "---:" for i in range(len(cells.columns))]
    rows = [list(cells.columns), rule, *cells.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)


def _cell(text: str) -> str:
    return "<br>".join(as_markdown(text).replace("|", "\\|").splitlines())


def as_markdown(text: str) -> str:
    """Text that markdown shows as it is where it would else be HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
