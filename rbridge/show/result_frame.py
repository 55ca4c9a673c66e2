"""A result as a DataFrame that prints within the page, and pastes without further packages."""

from __future__ import annotations

import itertools
import shutil
import textwrap
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from os import PathLike
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from .cells import HTML_HEAD, html_part, is_text, latex_table, pipe_table, text_or_file, write_excel

# What a narrow page can do without: texts, which are said below the table; and numbers that follow
# from the rest, the first to go first: the degrees of freedom are what Kenward and Roger's are for.
NOTES = ("conf_method", "note", "mixture", "reason", "warnings")
EXPENDABLE = (
    *(("effect",), ("statistic",), ("t",), ("Test",)),
    *(("conf_low", "conf_high"), ("se", "lower", "upper"), ("df",)),
)
P_VALUES = ("p", "p_value", "p-value", "p_boundary")
FEW = 3  # different texts of a column that are said below the table
MANY = 20  # columns that are named where they are not shown


class ResultFrame(pd.DataFrame):  # type: ignore[misc]
    """A DataFrame that ``print`` shows whole: fewer digits first, then fewer columns, named below.

    ``to_markdown()``, ``to_latex()`` and ``to_html()`` need no further package and give what can be
    pasted, or write it to the path that is given; with other arguments they are pandas' own.
    ``attrs["caption"]``, where there is one, is the caption.
    """

    @property
    def _constructor(self) -> Any:
        return ResultFrame

    def __repr__(self) -> str:
        width = pd.get_option("display.width") or shutil.get_terminal_size().columns
        whole = _printed(self)
        if _widest(whole) <= width:
            return whole
        out = self._left_out(width)
        shown = self._without(out)
        return "\n".join([_printed(shown, **_brief(shown)), *_below(self, out, width)])

    __str__ = __repr__

    def _without(self, out: Collection[int]) -> pd.DataFrame:
        """By position: names may stand twice."""
        return self.iloc[:, [k for k in range(self.shape[1]) if k not in out]]

    def _left_out(self, width: int) -> list[int]:
        """The columns to leave out, by position, so that the others fit."""
        notes = [k for k, name in enumerate(self) if name in NOTES or _blank(self.iloc[:, k])]

        def fits(groups: Sequence[Sequence[int]]) -> bool:
            shown = self._without({*notes, *itertools.chain(*groups)})
            return _widest(_printed(shown, **_brief(shown))) <= width

        spare = _expendable(self)
        # Where all that is not enough, what stands furthest to the right goes; a column stays.
        rest = [[k] for k in range(self.shape[1])[:0:-1]]
        some = [*spare, *rest]
        out = some[: bisect_left(range(len(some)), True, key=lambda k: fits(some[:k]))]
        for group in out[: len(spare)][-2::-1]:  # the last to go may have made room for others
            others = [other for other in out if other != group]
            out = others if fits(others) else out
        gone = {*notes, *itertools.chain(*out)}
        return sorted(gone if len(gone) < self.shape[1] else gone - {0})

    def to_markdown(self, *args: Any, **options: Any) -> Any:
        """A pipe table, or a file of it; with other arguments pandas' own, which needs tabulate."""
        if not _path_alone(args, options):
            return super().to_markdown(*args, **options)
        caption = self._caption()
        text = pipe_table(self._pasted()) + (f"\n\n{caption}" if caption else "") + "\n"
        return text_or_file(text, *args)

    def to_latex(self, *args: Any, **options: Any) -> Any:
        """A ``table`` (``\\usepackage{booktabs}``) with its caption, or a file of it; with other
        arguments pandas' own.
        """
        if not _path_alone(args, options):
            return super().to_latex(*args, **options)
        return text_or_file(latex_table(self._pasted(), self._caption()) + "\n", *args)

    def to_html(self, *args: Any, **options: Any) -> Any:
        """A table without external resources, or a file of it; with other arguments pandas' own."""
        if not _path_alone(args, options):
            return super().to_html(*args, **options)
        caption = self._caption()
        text = html_part(self._pasted()) + (html_part(caption) if caption else "")
        return text_or_file(text, next(iter(args), None), HTML_HEAD)

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
        leading = _leading(self)
        return frame.set_index(leading) if leading and _is_counted(self) else frame


def _path_alone(args: Sequence[Any], options: Any) -> bool:
    """Whether nothing was given, or no more than a path."""
    return not options and all(isinstance(x, (str, PathLike)) for x in args) and len(args) < 2


def _is_counted(frame: pd.DataFrame) -> bool:
    """Whether the rows have numbers for names, and each column its own name."""
    return isinstance(frame.index, pd.RangeIndex) and frame.columns.is_unique


def _leading(frame: pd.DataFrame) -> list[Any]:
    """The columns of texts before the first number: what tells the rows apart."""
    texts = itertools.takewhile(lambda c: not is_numeric_dtype(frame[c]), frame.columns)
    return list(texts)[: len(frame.columns) - 1]


def _blank(column: pd.Series) -> bool:
    return bool(column.eq("").all())


def _expendable(frame: pd.DataFrame) -> list[list[int]]:
    """Positions of columns that can go together: first those that say the same in every row."""
    names = list(frame.columns)
    same = [[k] for k, name in enumerate(names) if name != "estimate" and _same(frame.iloc[:, k])]
    follow = [group for group in EXPENDABLE if set(group) <= set(names)]
    return same + [[names.index(name) for name in group if name != "se"] for group in follow]


def _same(column: pd.Series) -> bool:
    """Whether every row has the same value, of several rows."""
    few = len(column) < 2 or bool(column.isna().any())
    return not few and bool((column == column.iloc[0]).all())


def _widest(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def _printed(frame: pd.DataFrame, **options: Any) -> str:
    """As pandas prints it, with every column."""
    names = ("max_rows", "min_rows", "show_dimensions")
    usual = {name: pd.get_option(f"display.{name}") for name in names}
    return str(pd.DataFrame(frame).to_string(**usual, **options))


def _brief(frame: pd.DataFrame) -> dict[str, Any]:
    """Fewer digits, nothing where there is no number, and no row numbers."""
    by_name = {name: _p for name in P_VALUES if name in frame.columns}
    usual = {"float_format": _short, "na_rep": "", "formatters": by_name}
    return {**usual, "index": not (_is_counted(frame) and frame.index.start == 0)}


def _p(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3g}"


def _short(value: float) -> str:
    """Four significant digits, and no exponent where none is needed."""
    return f"{value:.1f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def _below(frame: pd.DataFrame, left_out: Sequence[int], width: int) -> Iterator[str]:
    """What the columns that are not shown say, or their names."""
    said = {k: _said(frame, k) for k in left_out}
    for line in itertools.chain(*filter(None, said.values())):
        yield from textwrap.wrap(line, width, subsequent_indent="  ")
    silent = [str(frame.columns[k]) for k, lines in said.items() if lines is None]
    more = f" and {len(silent) - MANY} more" if len(silent) > MANY else ""
    if silent:
        yield from textwrap.wrap(f"(not shown: {', '.join(silent[:MANY])}{more})", width)


def _said(frame: pd.DataFrame, k: int) -> list[str] | None:
    """A column in words, where it says the same everywhere or has few texts; None where neither."""
    name, column = str(frame.columns[k]), frame.iloc[:, k]
    if _blank(column):
        return []
    if _same(column):
        value = column.iloc[0]
        return [f"{name}: {_short(value) if isinstance(value, float) else value}"]
    texts = [text for text in column.unique() if isinstance(text, str) and text]
    if name == "effect" or not is_text(column) or len(texts) > FEW:
        return None
    if name == "note":
        return [f"{name} on {_rows(frame, column == text)}: {text}" for text in texts]
    return [f"{name}: {'; '.join(texts)}"]


def _rows(frame: pd.DataFrame, which: pd.Series) -> str:
    """The names of some rows, or how many they are."""
    if which.sum() > FEW:
        return f"{which.sum()} rows"
    leading = _leading(frame.drop(columns=list(NOTES), errors="ignore"))
    named = frame.set_index(leading) if leading and _is_counted(frame) else frame
    return ", ".join(_name(label) for label in named.index[which.to_numpy()])


def _name(label: Any) -> str:
    return " ".join(map(str, label)) if isinstance(label, tuple) else str(label)
