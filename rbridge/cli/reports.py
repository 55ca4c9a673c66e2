"""Reports of one run in several forms: to files, to standard output, to GitHub."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import SpecError
from ..files import write_whole
from ..options import one_of
from .output import check_file, option_of

STANDARD_OUTPUT = "-"
FORMS = ("text", "json", "markdown", "junit", "html")
ENDINGS = {".txt": "text", ".json": "json", ".md": "markdown", ".xml": "junit", ".html": "html"}
Written = Callable[[], str]


@dataclass(frozen=True)
class Target:
    """Where one form of a report goes.

    Attributes
    ----------
    form : str
        Empty where only the file's ending can tell.
    path : Path or None
        None: standard output.
    """

    form: str
    path: Path | None


class ReportFile(click.ParamType):
    """``FILE`` or ``FORM:FILE``, such as ``junit:report.xml``; ``-`` is standard output."""

    name = "FILE"

    def get_metavar(self, *_: Any, **__: Any) -> str:
        return "[FORM:]FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, Target):
            return value
        form, colon, name = str(value).partition(":")
        if not (colon and form in FORMS):
            form, name = "", str(value)
        if form and name == STANDARD_OUTPUT:
            return Target(form, None)
        if not name:
            raise SpecError(f"{option_of(param)} {value}: names no file")
        check_file(Path(name), option_of(param))
        return Target(form, Path(name))


def targets(
    outputs: Sequence[Target], form: str | None, default: str = "text", unknown: str = ""
) -> list[Target]:
    """Where which form goes.

    Parameters
    ----------
    outputs : sequence of Target
        As ``--output`` has them.
    form : str, optional
        Of ``--format``: of those that name none; else their ending decides.
    default : str
        On standard output, where nothing is said.
    unknown : str
        Of files whose ending says nothing; empty: they are refused.

    Raises
    ------
    SpecError
        An ending that says nothing, or a file named twice.
    """
    if not outputs:
        return [Target(form or default, None)]
    found = [
        Target(target.form or form or _by_ending(target, unknown), target.path)
        for target in outputs
    ]
    places = Counter(os.path.realpath(t.path) if t.path else STANDARD_OUTPUT for t in found)
    if twice := [place for place, n in places.items() if n > 1]:
        raise SpecError(f"--output: {twice[0]} is named twice: one report a file")
    return found


def _by_ending(target: Target, unknown: str) -> str:
    ending = target.path.suffix.lower() if target.path else ""
    if unknown and ending not in ENDINGS:
        return unknown
    return ENDINGS[one_of(ending, ENDINGS, f"{target.path}: without --format the ending")]


def write_reports(forms: Mapping[str, Written], to: Iterable[Target], headline: str) -> None:
    """Every form to its place; where none goes to standard output, the headline does."""
    places = list(to)
    for target in places:
        text = forms[target.form]()
        if target.path is None:
            click.echo(text, nl=not text.endswith("\n"))
        else:
            write_whole(target.path, text)
    if all(target.path for target in places):
        files = ", ".join(str(target.path) for target in places)
        click.echo(f"{headline}: see {files}")


def tell_github(annotations: str, summary: str) -> None:
    """Annotations on standard output, and the summary behind those of the job's other steps."""
    if annotations:
        click.echo(annotations)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{summary.rstrip()}\n\n")
