"""qualify: the proof written, and its verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from ..check.verdict import Verdict
from ..qualify.proof import Proof
from ..qualify.report import FORMS, SUMMARY, to_annotations, to_markdown
from ..qualify.run import qualify
from ..qualify.words import headline
from .reports import Target, targets, tell_github, write_reports


def show_qualification(
    outputs: Sequence[Target], form: str | None, github: bool, no_r: bool
) -> Verdict:
    """Qualify, and write the reports."""
    to = targets(outputs, form, default=SUMMARY)
    with _progress() as tick:
        found = qualify(with_r=not no_r, tick=tick)
    write_reports({name: partial(of, found) for name, of in FORMS.items()}, to, headline(found))
    if github:
        tell_github(to_annotations(found), to_markdown(found))
    return found.code


@contextmanager
def _progress() -> Iterator[Callable[[Proof], object]]:
    """What is being looked at on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda proof: None
        return
    from rich.console import Console

    with Console(stderr=True).status("qualifying") as status:
        yield lambda proof: status.update(f"{proof.section}: {proof.group}")
