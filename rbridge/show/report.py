"""Reports: a title and named parts, as text, HTML, markdown, LaTeX or Excel."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Union, overload

from .cells import (
    HTML_HEAD,
    Part,
    html_part,
    latex_table,
    latex_text,
    marked,
    marked_lines,
    pipe_table,
    table_text,
    text_or_file,
    write_excel,
)

Path = Union[str, PathLike[str]]


class Reported:
    """What can be shown and pasted: whoever has a ``_report()`` has all of this."""

    def _report(self) -> Report:
        raise NotImplementedError

    def to_text(self) -> str:
        """For a terminal; ``print`` shows it."""
        return self._report().to_text()

    @overload
    def to_html(self) -> str:
        ...

    @overload
    def to_html(self, path: Path) -> None:
        ...

    def to_html(self, path: Path | None = None) -> str | None:
        """HTML without external resources, which notebooks show; with a path, a file of it."""
        return text_or_file(self._html(), path, before=HTML_HEAD)

    @overload
    def to_markdown(self) -> str:
        ...

    @overload
    def to_markdown(self, path: Path) -> None:
        ...

    def to_markdown(self, path: Path | None = None) -> str | None:
        """Markdown with pipe tables, for a pull request, a README, Quarto; or a file of it."""
        return text_or_file(self._markdown(), path)

    @overload
    def to_latex(self) -> str:
        ...

    @overload
    def to_latex(self, path: Path) -> None:
        ...

    def to_latex(self, path: Path | None = None) -> str | None:
        """LaTeX: a ``table`` for each table (``\\usepackage{booktabs}``), the headings captions; or
        a file of it.
        """
        return text_or_file(self._latex(), path)

    def _html(self) -> str:
        return self._report()._html()

    def _markdown(self) -> str:
        return self._report()._markdown()

    def _latex(self) -> str:
        return self._report()._latex()

    def to_excel(self, path: Path) -> None:
        """Write an Excel file (.xlsx) with everything on one sheet, numbers as numbers.

        Raises
        ------
        InstallationError
            Neither openpyxl nor xlsxwriter is installed.
        SpecError
            The ending is not .xlsx.
        """
        self._report().to_excel(path)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self._html()


@dataclass(frozen=True, repr=False)
class Report(Reported):
    """A printable result.

    Attributes
    ----------
    title : str
    parts : sequence of (heading, text or DataFrame)
    """

    title: str
    parts: Sequence[tuple[str, Part]]

    def _report(self) -> Report:
        return self

    def to_text(self) -> str:
        """For a terminal; ``print`` shows it."""
        blocks = [self.title, "=" * len(self.title)]
        for heading, part in self.parts:
            blocks += ["", heading] if heading else [""]
            blocks.append(part if isinstance(part, str) else table_text(part))
        return "\n".join(blocks) + "\n"

    def __repr__(self) -> str:
        return self.to_text()

    def _html(self) -> str:
        blocks = [f"<h4>{html.escape(self.title)}</h4>"]
        for heading, part in self.parts:
            blocks += [f"<b>{html.escape(heading)}</b>"] if heading else []
            blocks.append(html_part(part))
        return f'<div style="overflow-x:auto">{"".join(blocks)}</div>'

    def _markdown(self) -> str:
        blocks = [f"### {marked(_line(self.title))}"]
        for heading, part in self.parts:
            blocks += [f"**{marked(_line(heading))}**"] if heading else []
            blocks.append(marked_lines(part) if isinstance(part, str) else pipe_table(part))
        return "\n\n".join(blocks) + "\n"

    def _latex(self) -> str:
        blocks = [rf"\paragraph{{{latex_text(_line(self.title))}}}"]
        for heading, part in self.parts:
            if isinstance(part, str):
                blocks += [rf"\emph{{{latex_text(_line(heading))}}}"] if heading else []
                blocks.append("\\\\\n".join(map(latex_text, part.splitlines())))
            else:
                blocks.append(latex_table(part, _line(heading)))
        return "\n\n".join(blocks) + "\n"

    def to_excel(self, path: Path) -> None:
        """Write an Excel file (.xlsx) with everything on one sheet, numbers as numbers."""
        stacked: list[Part] = [self.title]
        for heading, part in self.parts:
            stacked += ["", heading, part] if heading else ["", part]
        write_excel(path, stacked)


def _line(text: str) -> str:
    return " ".join(text.splitlines())
