"""qualify: the proof written, and its verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..check.verdict import Verdict
from ..files import write_whole
from ..options import one_of
from ..qualify.proof import Proof
from ..qualify.report import ENDINGS, FORMS
from ..qualify.run import qualify
from ..qualify.words import headline


def show_qualification(output: Path | None, form: str | None, no_r: bool) -> Verdict:
    """Qualify, and write the report in the form that the file's ending or ``--format`` names."""
    written = _form(output, form)
    with _progress() as tick:
        found = qualify(with_r=not no_r, tick=tick)
    text = FORMS[written](found)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
        click.echo(f"{headline(found)}: see {output}")
    return found.code


def _form(output: Path | None, form: str | None) -> str:
    if form is not None:
        return form
    if output is None:
        return "summary"
    return ENDINGS[one_of(output.suffix.lower(), ENDINGS, f"{output}: without --format the ending")]


@contextmanager
def _progress() -> Iterator[Callable[[Proof], object]]:
    """What is being looked at on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda proof: None
        return
    from rich.console import Console

    with Console(stderr=True).status("qualifying") as status:
        yield lambda proof: status.update(f"{proof.section}: {proof.group}")
