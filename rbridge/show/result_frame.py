"""A result as a DataFrame that prints within the page, and pastes without further packages."""

from __future__ import annotations

import itertools
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from .cells import html_part, is_text, latex_table, pipe_table, write_excel

# What a narrow page can do without, the first to go first: texts, which are said below the table,
# then what follows from the rest.
EXPENDABLE = (
    *(("conf_method",), ("note",), ("mixture",), ("effect",)),
    *(("statistic",), ("Test",), ("df",), ("conf_low", "conf_high")),
)
P_VALUES = ("p", "p_value", "p-value", "p_boundary")
FEW = 3  # different texts of a column that are said below the table


class ResultFrame(pd.DataFrame):  # type: ignore[misc]
    """A DataFrame that ``print`` shows whole: fewer digits first, then fewer columns, named below.

    ``to_markdown()``, ``to_latex()`` and ``to_html()`` without arguments need no further package
    and give what can be pasted; with arguments they are pandas' own. ``attrs["caption"]``, where
    there is one, is the caption.
    """

    @property
    def _constructor(self) -> Any:
        return ResultFrame

    def __repr__(self) -> str:
        width = pd.get_option("display.width") or shutil.get_terminal_size().columns
        whole = _printed(self)
        if _widest(whole) <= width:
            return whole
        told = self.drop(columns=[c for c in sum(EXPENDABLE, ()) if c in self and _blank(self[c])])
        left_out = told._left_out(width)
        if left_out is None:
            return _printed(told, line_width=width, **_brief(told))
        shown = told.drop(columns=left_out)
        return "\n".join([_printed(shown, **_brief(shown)), *_below(told[left_out], width)])

    __str__ = __repr__

    def _left_out(self, width: int) -> list[str] | None:
        """The columns to leave out, so that the others fit; None where nothing helps."""

        def fits(groups: Sequence[tuple[str, ...]]) -> bool:
            shown = self.drop(columns=[name for group in groups for name in group])
            return _widest(_printed(shown, **_brief(shown))) <= width

        here = [group for group in EXPENDABLE if set(group) <= set(self.columns)]
        enough = (here[:k] for k in range(len(here) + 1) if fits(here[:k]))
        out = next(enough, None)
        if out is None:
            return None
        for group in out[-2::-1]:  # the last to go may have made room for others
            rest = [other for other in out if other != group]
            out = rest if fits(rest) else out
        return [name for group in out for name in group]

    def to_markdown(self, *args: Any, **options: Any) -> str:
        """A pipe table; with arguments pandas' own, which needs tabulate."""
        if args or options:
            return str(super().to_markdown(*args, **options))
        caption = self._caption()
        return pipe_table(self._pasted()) + (f"\n\n{caption}" if caption else "") + "\n"

    def to_latex(self, *args: Any, **options: Any) -> str:
        """A ``table`` (``\\usepackage{booktabs}``) with its caption; with arguments pandas' own."""
        if args or options:
            return str(super().to_latex(*args, **options))
        return latex_table(self._pasted(), self._caption()) + "\n"

    def to_html(self, *args: Any, **options: Any) -> str:
        """A table without external resources; with arguments pandas' own."""
        if args or options:
            return str(super().to_html(*args, **options))
        caption = self._caption()
        return html_part(self._pasted()) + (html_part(caption) if caption else "")

    def to_excel(self, excel_writer: Any, *args: Any, **options: Any) -> None:
        """Write an Excel file with the caption below; into an ExcelWriter, or with arguments,
        pandas' own.

        Raises
        ------
        InstallationError
            Neither openpyxl nor xlsxwriter is installed.
        """
        if args or options or isinstance(excel_writer, pd.ExcelWriter):
            super().to_excel(excel_writer, *args, **options)
        else:
            write_excel(excel_writer, [pd.DataFrame(self), self._caption()])

    def _caption(self) -> str:
        return str(self.attrs.get("caption") or self.attrs.get("method") or "")

    def _pasted(self) -> pd.DataFrame:
        """Names for row numbers, which say nothing; blank where there is no number."""
        frame = pd.DataFrame(self).astype(object).where(self.notna(), "")
        texts = itertools.takewhile(lambda c: not is_numeric_dtype(self[c]), self.columns)
        leading = list(texts)[: len(self.columns) - 1]
        return frame.set_index(leading) if leading and _is_counted(self) else frame


def _is_counted(frame: pd.DataFrame) -> bool:
    """Whether the rows have numbers for names, and each column its own name."""
    return isinstance(frame.index, pd.RangeIndex) and frame.columns.is_unique


def _blank(column: pd.Series) -> bool:
    return bool(column.eq("").all())


def _widest(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def _printed(frame: pd.DataFrame, **options: Any) -> str:
    """As pandas prints it, with every column."""
    names = ("max_rows", "min_rows", "show_dimensions")
    usual = {name: pd.get_option(f"display.{name}") for name in names}
    return str(pd.DataFrame(frame).to_string(**usual, **options))


def _brief(frame: pd.DataFrame) -> dict[str, Any]:
    """Fewer digits, and nothing where there is no number."""
    by_name = {name: _p for name in P_VALUES if name in frame.columns}
    return {"float_format": _short, "na_rep": "", "formatters": by_name}


def _p(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3g}"


def _short(value: float) -> str:
    """Four significant digits, and no exponent where none is needed."""
    return f"{value:.1f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def _below(left_out: pd.DataFrame, width: int) -> Iterator[str]:
    """What the columns that are not shown say, or their names."""
    silent = []
    for name, column in left_out.items():
        texts = [text for text in column.unique() if isinstance(text, str) and text]
        if is_text(column) and len(texts) <= FEW and name != "effect":
            said = f"{name}: {'; '.join(texts)}" if texts else ""
            yield from textwrap.wrap(said, width, subsequent_indent="  ")
        else:
            silent.append(str(name))
    if silent:
        yield from textwrap.wrap(f"(not shown: {', '.join(silent)})", width)
