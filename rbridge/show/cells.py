"""Tables as text, HTML, markdown, LaTeX and Excel; what a cell looks like."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from os import PathLike
from typing import Union

import numpy as np
import pandas as pd

from ..errors import InstallationError, SpecError
from ..files import write_whole

Part = Union[str, pd.DataFrame]

DOCTYPE = "<!doctype html>"
HTML_HEAD = f'{DOCTYPE}\n<meta charset="utf-8">\n'  # of a file: browsers guess otherwise
TERMINAL = 80  # characters


def is_text(column: pd.Series) -> bool:
    """Whether it holds texts: as objects, or in the dtype that pandas 3 has for them."""
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype)


_STYLE = "font-family:inherit;border-collapse:collapse;margin:0.3em 0"
_NAME = "text-align:left;font-weight:normal;padding:0 0.6em"
_VALUE = "text-align:right;padding:0 0.6em;white-space:nowrap"
_LATEX = {
    **{c: rf"\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "\n": r"\newline "},
    **{"χ": r"$\chi$", "σ": r"$\sigma$", "ζ": r"$\zeta$", "²": r"\textsuperscript{2}"},
    **{"−": "$-$", "±": r"$\pm$", "×": r"$\times$", "–": "--", "…": r"\ldots{}"},
}
NO_ENGINE = (
    "to_excel needs openpyxl or xlsxwriter: pip install openpyxl, or Debian's python3-openpyxl"
)


def number(value: object) -> str:
    """A cell: six significant digits for numbers, blank where there is none."""
    if isinstance(value, (bool, np.bool_, str)) or not isinstance(value, (int, float, np.number)):
        return str(value)
    return "" if np.isnan(value) else f"{value:.6g}"


def label(value: object) -> str:
    """A value in a row's name: whole numbers as such, others compact."""
    if not isinstance(value, float):
        return str(value)
    if value.is_integer():
        return str(int(value))
    return number(value) if abs(value) < 1e5 else str(value)


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as text, its index as leading columns."""
    index = frame.index.to_frame(index=False)
    leading = ["" if not isinstance(n, str) else n for n in frame.index.names]
    left = [list(map(label, row)) for row in index.itertuples(index=False, name=None)]
    right = [list(map(number, row)) for row in frame.itertuples(index=False, name=None)]
    # As objects: pandas 3 has texts that are no UTF-8 in no other dtype.
    names = pd.Index([*leading, *map(str, frame.columns)], dtype=object)
    rows = [[*texts, *cells] for texts, cells in zip(left, right)]
    return pd.DataFrame(rows, columns=names, dtype=object)


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """A square matrix with numbers for its columns, which stand before the names of its rows."""
    if frame.shape[0] != frame.shape[1] or list(frame.index) != list(frame.columns):
        return frame
    numbers = [f"[{i + 1}]" for i in range(len(frame))]
    names = pd.Index([f"{n} {name}" for n, name in zip(numbers, frame.index)], dtype=object)
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


def html_part(part: Part) -> str:
    """A paragraph or a table."""
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
    return "<br>".join(marked(text).replace("|", "\\|").splitlines())


def marked(text: str) -> str:
    """Text that markdown shows as it is where it would else be HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def marked_lines(text: str) -> str:
    """Lines that markdown keeps apart: two spaces at the end are a break in every dialect."""
    return "  \n".join(marked(text).splitlines())


def latex_text(text: str) -> str:
    """Text that LaTeX sets as it is, and a number with its sign."""
    if re.match(r"-[\d.]", text):
        return f"$-${text[1:]}"
    return "".join(_LATEX.get(c, c) for c in text)


def latex_table(frame: pd.DataFrame, caption: str = "") -> str:
    """A ``table`` of the package booktabs."""
    cells = _cells(_numbered(frame))
    n_index = frame.index.nlevels
    align = "l" * n_index + "r" * (len(cells.columns) - n_index)
    head, *body = (
        " & ".join(map(latex_text, row)) + r" \\"
        for row in [list(cells.columns), *cells.to_numpy().tolist()]
    )
    lines = [r"\begin{table}", r"\centering"]
    lines += [rf"\caption{{{latex_text(caption)}}}"] if caption else []
    lines += [rf"\begin{{tabular}}{{{align}}}", r"\toprule", head, r"\midrule", *body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def text_or_file(
    text: str, path: str | PathLike[str] | None = None, before: str = ""
) -> str | None:
    """The text, or nothing where there is a path: it is written there, after ``before``."""
    if path is None:
        return text
    write_whole(path, text if text.startswith(DOCTYPE) else before + text)
    return None


def write_excel(path: str | PathLike[str], parts: Sequence[Part]) -> None:
    """Texts and tables below one another on one sheet, by pandas; numbers stay numbers.

    Raises
    ------
    InstallationError
        pandas has no package that writes Excel files.
    SpecError
        The ending is not .xlsx.
    """
    if isinstance(path, (str, PathLike)) and not str(path).lower().endswith(".xlsx"):
        raise SpecError(f"{path}: to_excel writes .xlsx, and this ends otherwise")
    row = 0
    try:
        with pd.ExcelWriter(path) as book:
            for part in parts:
                is_text = isinstance(part, str)
                frame = pd.DataFrame(str(part).split("\n")) if is_text else part
                shown = {"header": not is_text, "index": not is_text}
                frame.to_excel(book, sheet_name="rbridge", startrow=row, **shown)
                row += len(frame) + (0 if is_text else frame.columns.nlevels)
    except ImportError:
        raise InstallationError(NO_ENGINE) from None
