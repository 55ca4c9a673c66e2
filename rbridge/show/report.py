"""Reports: a title and named parts, as text, HTML, markdown, LaTeX or Excel."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from .cells import (
    Part,
    html_part,
    latex_table,
    latex_text,
    marked,
    marked_lines,
    pipe_table,
    table_text,
    write_excel,
)


class Reported:
    """What can be shown and pasted: whoever has a ``_report()`` has all of this."""

    def _report(self) -> Report:
        raise NotImplementedError

    def to_text(self) -> str:
        """For a terminal; ``print`` shows it."""
        return self._report().to_text()

    def to_html(self) -> str:
        """HTML without external resources; notebooks show it."""
        return self._report().to_html()

    def to_markdown(self) -> str:
        """Markdown with pipe tables, for a pull request, a README, Quarto."""
        return self._report().to_markdown()

    def to_latex(self) -> str:
        """LaTeX: a ``table`` for each table (``\\usepackage{booktabs}``), the headings captions."""
        return self._report().to_latex()

    def to_excel(self, path: str | PathLike[str]) -> None:
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
        return self._report().to_html()


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

    def to_html(self) -> str:
        """HTML without external resources; notebooks show it."""
        blocks = [f"<h4>{html.escape(self.title)}</h4>"]
        for heading, part in self.parts:
            blocks += [f"<b>{html.escape(heading)}</b>"] if heading else []
            blocks.append(html_part(part))
        return f'<div style="overflow-x:auto">{"".join(blocks)}</div>'

    def to_markdown(self) -> str:
        """Markdown with pipe tables, for a pull request, a README, Quarto."""
        blocks = [f"### {marked(_line(self.title))}"]
        for heading, part in self.parts:
            blocks += [f"**{marked(_line(heading))}**"] if heading else []
            blocks.append(marked_lines(part) if isinstance(part, str) else pipe_table(part))
        return "\n\n".join(blocks) + "\n"

    def to_latex(self) -> str:
        """LaTeX: a ``table`` for each table (``\\usepackage{booktabs}``), the headings captions."""
        blocks = [rf"\paragraph{{{latex_text(_line(self.title))}}}"]
        for heading, part in self.parts:
            if isinstance(part, str):
                blocks += [rf"\emph{{{latex_text(_line(heading))}}}"] if heading else []
                blocks.append("\\\\\n".join(map(latex_text, part.splitlines())))
            else:
                blocks.append(latex_table(part, _line(heading)))
        return "\n\n".join(blocks) + "\n"

    def to_excel(self, path: str | PathLike[str]) -> None:
        """Write an Excel file (.xlsx) with everything on one sheet, numbers as numbers."""
        stacked: list[Part] = [self.title]
        for heading, part in self.parts:
            stacked += ["", heading, part] if heading else ["", part]
        write_excel(path, stacked)


def _line(text: str) -> str:
    return " ".join(text.splitlines())
