"""crosscheck, record and suite on the command line."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .model import fit_model, model_options
from ..datasets.sources import is_shipped
from ..suite.drift import check_record
from ..errors import RNotFoundError, SpecError
from ..suite.record import Recording, record_files
from ..suite.record import record as record_one
from ..suite.cases import load_suite
from ..suite.run import AGREE, DISAGREE, UNCHECKABLE, Outcome, check_case, run
from ..suite.report import SuiteReport

FORMATS = ("text", "json", "markdown", "junit", "html")
OUTPUT = click.Path(dir_okay=False, path_type=Path)
SUITE = click.option(
    "--suite", type=click.Path(path_type=Path), metavar="TOML", help="Every model of this file."
)
JOBS = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes."
)


@click.command()
@model_options(required=False)
@SUITE
@click.option("--against", type=click.Path(path_type=Path), metavar="FOLDER", help="Records.")
@click.option("--no-r", is_flag=True, help="With --against: only the native core.")
@JOBS
@click.option("--format", "form", type=click.Choice(FORMATS), default="text")
@click.option("-o", "--output", type=OUTPUT, help="Write there, not to standard output.")
@click.pass_context
def crosscheck(
    ctx: click.Context,
    suite: Path | None,
    against: Path | None,
    no_r: bool,
    jobs: int,
    form: str,
    output: Path | None,
    **model: Any,
) -> None:
    """Compare nlme's apVar, the exact informations and lmeInfo.

    For one model of DATA (a file, or the name of a shipped data set), for every model of a
    --suite, or of the records --against which today's R and the native core are held.

    Exit status: 0 the numbers agree, 1 they disagree, 2 they could not be checked.
    """
    given = [name for name, value in (("DATA", model["data"]), ("--suite", suite)) if value]
    given += ["--against"] if against else []
    if len(given) != 1:
        raise SpecError(
            f"give one of DATA, --suite and --against, not {' and '.join(given) or 'none'}"
        )
    if no_r and not against:
        raise SpecError("--no-r goes with --against: without a record only R can answer")
    if suite or against:
        report = _suite_report(suite, jobs) if suite else _record_report(against, jobs, not no_r)
        _write(getattr(report, f"to_{form}")(), output)
        ctx.exit(report.code)
    if not model["fixed"]:
        raise SpecError("DATA needs --fixed, the formula of the fixed effects")
    check = fit_model(**model).crosscheck()
    writers = {"text": check.__str__, "html": check._repr_html_}
    _write((writers.get(form) or getattr(check, f"to_{form}"))(), output)
    ctx.exit(DISAGREE if check.failed else AGREE if check.checked else UNCHECKABLE)


def _suite_report(path: Path, jobs: int) -> SuiteReport:
    cases = load_suite(path)
    with _progress(len(cases)) as tick:
        return SuiteReport(path.name, run(cases, check_case, jobs, tick))


def _record_report(folder: Path | None, jobs: int, with_r: bool) -> SuiteReport:
    assert folder is not None
    if with_r and (missing := _why_no_r()):
        click.echo(
            f"no R here ({missing}): the native core alone is held against {folder}", err=True
        )
        with_r = False
    items = record_files(folder, with_r)
    with _progress(len(items)) as tick:
        return SuiteReport(str(folder), run(items, check_record, jobs, tick), recorded=True)


def _why_no_r() -> str:
    """Why R cannot be asked, without starting it; a broken R is an error of every model."""
    from ..r.locate import r_home

    if find_spec("rpy2") is None:
        return "rpy2 is not installed"
    try:
        r_home()
    except RNotFoundError as error:
        return str(error).split(":")[0]
    return ""


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        output.write_text(text, encoding="utf-8")


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


@click.command()
@click.option("--suite", type=click.Path(path_type=Path), required=True, metavar="TOML")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@JOBS
@click.pass_context
def record(ctx: click.Context, suite: Path, output: Path, jobs: int) -> None:
    """Store R's answers about a suite, one JSON file a model.

    Exit status: 0 all recorded, 2 some could not be.
    """
    cases = load_suite(suite)
    output.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["rbridge", "record", "--suite", str(suite), "-o", str(output)])
    items = [Recording(case, output, command) for case in cases]
    with _progress(len(items)) as tick:
        outcomes = run(items, record_one, jobs, tick)
    _tell_recorded(outcomes, output)
    ctx.exit(max(outcome.code for outcome in outcomes))


def _tell_recorded(outcomes: Sequence[Outcome], folder: Path) -> None:
    failures = [outcome for outcome in outcomes if outcome.code != AGREE]
    click.echo(f"{len(outcomes) - len(failures)} of {len(outcomes)} models recorded in {folder}")
    for outcome in failures:
        click.echo(f"{outcome.where}: {outcome.name}: {outcome.findings[0].text}", err=True)
    names = {outcome.name for outcome in outcomes}
    for path in sorted(folder.glob("*.json")):
        if path.stem not in names:
            click.echo(f"{path}: is not of this suite: remove it if its model is gone", err=True)


@click.group()
def suite() -> None:
    """Start a suite file, or show its schema."""


@suite.command()
@click.argument("data")
@click.option("-o", "--output", type=OUTPUT, help="Write there; never over an existing file.")
def init(data: str, output: Path | None) -> None:
    """A commented starter suite for DATA, with what its columns look like."""
    from ..suite.starter import starter

    if output is not None and output.exists():
        raise SpecError(f"{output} exists already: move it or choose another name")
    folder = output.parent if output else Path(".")
    place = data if is_shipped(data) else os.path.relpath(data, folder)
    _write(starter(place, folder), output)


@suite.command()
def schema() -> None:
    """The JSON schema of suite files."""
    click.echo(files("rbridge").joinpath("suite.schema.json").read_text("utf-8"), nl=False)
