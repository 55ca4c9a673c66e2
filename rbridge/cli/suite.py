"""crosscheck, record and suite: models and records checked, and what they say written."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ..check.crosscheck import Crosscheck
from ..check.verdict import Verdict
from ..datasets.sources import is_shipped
from ..errors import RNotFoundError, SpecError
from ..files import write_whole
from ..r.locate import r_home
from ..r.session import isolated_batch
from ..show.cells import filled
from ..suite.against import paired
from ..suite.cases import Case, load_suite
from ..suite.circumstances import circumstances
from ..suite.drift import check_record
from ..suite.limit import within
from ..suite.record import Recording
from ..suite.report import SuiteReport
from ..suite.rerecord import record_or_tell
from ..suite.run import Outcome, check_case, explained, run
from ..suite.starter import starter
from .model import fit_model
from .reports import FORMS, Target, Written, targets, tell_github, write_reports


def show_crosscheck(
    suite: Path | None,
    against: Path | None,
    no_r: bool,
    jobs: int,
    timeout: float | None,
    form: str | None,
    outputs: Sequence[Target],
    github: bool,
    **model: Any,
) -> Verdict:
    """One model, a suite or records checked, and the reports written."""
    _check_asked(suite, against, no_r, model)
    to = targets(outputs, form, unknown="text")
    report: SuiteReport | Crosscheck
    if against:
        report = _record_report(against, suite, jobs, not no_r, model["engine"], timeout)
    elif suite:
        report = _suite_report(suite, jobs, model["engine"], timeout)
    else:
        report = _checked(timeout, model)
    forms: dict[str, Written] = {name: getattr(report, f"to_{name}") for name in FORMS}
    if isinstance(report, Crosscheck):
        forms["html"] = partial(_page, report, model["data"])
    write_reports(forms, to, report.headline())
    if github:
        tell_github(report.annotations(), report.to_markdown())
    return report.code


def _checked(timeout: float | None, model: Mapping[str, Any]) -> Crosscheck:
    """One model; where it has a limit, R must be one that can be stopped."""
    with nullcontext() if timeout is None else isolated_batch():
        check = within(timeout, lambda: fit_model(**model).crosscheck())
    return replace(check, findings=explained(check.findings, check.table))


def _page(check: Crosscheck, data: str) -> str:
    """One model as the page of a suite of one."""
    told = (check.title, check.findings, check.table, check.provenance, check.seconds)
    outcome = Outcome(Path(data).stem, data, *told, data=data)
    return SuiteReport(check.title, (outcome,), about=circumstances(Path("."))).to_html()


def _check_asked(
    suite: Path | None, against: Path | None, no_r: bool, model: Mapping[str, Any]
) -> None:
    named = (("DATA", model["data"]), ("--suite", suite), ("--against", against))
    given = [name for name, value in named if value]
    if not given or (model["data"] and len(given) > 1):
        raise SpecError(
            "give DATA, or --suite, or --against, or the last two together, not "
            f"{' and '.join(given) or 'none'}"
        )
    if no_r and not against:
        raise SpecError("--no-r goes with --against: without a record only R can answer")
    if model["data"] and not model["fixed"]:
        raise SpecError("DATA needs --fixed, the formula of the fixed effects")


def _suite_report(path: Path, jobs: int, engine: str | None, timeout: float | None) -> SuiteReport:
    cases = _cases(path, engine, timeout)
    with _progress(len(cases)) as tick:
        found = run(cases, check_case, jobs, tick)
    return SuiteReport(path.name, found, about=circumstances(path.parent))


def _cases(path: Path, engine: str | None, timeout: float | None) -> tuple[Case, ...]:
    """The models of a suite; the command line's engine and time limit go before the file's."""
    given = {"engine": engine, "timeout": timeout}
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return tuple(replace(case, **said) for case in load_suite(path))


def _record_report(
    folder: Path,
    suite: Path | None,
    jobs: int,
    with_r: bool,
    engine: str | None,
    timeout: float | None,
) -> SuiteReport:
    """Records by themselves, or against the suite that they should be of."""
    cases = None if suite is None else load_suite(suite)
    if with_r and (missing := _why_no_r()):
        click.echo(
            f"no R here ({missing}): the native core alone is held against {folder}", err=True
        )
        with_r = False
    paired_off = paired(folder, with_r, cases, str(suite or ""), engine)
    items = [replace(file, limit=timeout) for file in paired_off]
    title = str(folder) if suite is None else f"{suite.name} against {folder}"
    with _progress(len(items)) as tick:
        found = run(items, check_record, jobs, tick)
    return SuiteReport(title, found, True, circumstances((suite or folder / "x").parent))


def _why_no_r() -> str:
    """Why R cannot be asked, without starting it; a broken R is an error of every model."""
    if find_spec("rpy2") is None:
        return "rpy2 is not installed"
    try:
        r_home()
    except RNotFoundError as error:
        return str(error).split(":")[0]
    return ""


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Outcome], object]]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda outcome: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("models", total=total)

        def tick(outcome: Outcome) -> None:
            bar.update(task, advance=1, description=outcome.name)

        yield tick


def record_suite(
    suite: Path,
    folder: Path,
    jobs: int,
    engine: str | None,
    overwrite: bool,
    timeout: float | None,
) -> Verdict:
    """R's answers about every model of a suite, one JSON file each."""
    cases = _cases(suite, engine, timeout)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [] if engine is None else ["--engine", engine]
    command = shlex.join(["rbridge", "record", "--suite", str(suite), "-o", str(folder), *chosen])
    items = [Recording(case, folder, command, overwrite) for case in cases]
    with _progress(len(items)) as tick:
        outcomes = run(items, record_or_tell, jobs, tick)
    _tell_recorded(outcomes, folder)
    return Verdict.worst(outcome.code for outcome in outcomes)


def _tell_recorded(outcomes: Sequence[Outcome], folder: Path) -> None:
    failures = [outcome for outcome in outcomes if outcome.code != Verdict.AGREE]
    click.echo(f"{len(outcomes) - len(failures)} of {len(outcomes)} models recorded in {folder}")
    for outcome in outcomes:
        bad = outcome.code != Verdict.AGREE
        if bad:
            told = f"{outcome.where}: {outcome.name}: {outcome.findings[0].text}"
            click.echo(filled(told), err=True)
        for finding in outcome.findings[1:]:
            click.echo(filled(f"{outcome.name}: {finding.text}", "  "), err=bad)
    names = {outcome.name for outcome in outcomes}
    for path in sorted(folder.glob("*.json")):
        if path.stem not in names:
            click.echo(f"{path}: is not of this suite: remove it if its model is gone", err=True)


def start_suite(data: str, output: Path | None) -> None:
    """A starter suite for a data file, never over an existing file."""
    if output is not None and output.exists():
        raise SpecError(f"{output} exists already: move it or choose another name")
    folder = output.parent if output else Path(".")
    place = data if is_shipped(data) else os.path.relpath(data, folder)
    text = starter(place, folder)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
