"""The command line: every command with its options.

What a command does stands in a module of its own, imported when it runs: help waits for nothing.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from .arguments import (
    ANY_PATH,
    ENGINE,
    FIT_FORMATS,
    FOLDER,
    JOBS,
    KINDS,
    OUTPUT,
    TIMEOUT,
    fixed_effects_options,
    model_options,
    report_options,
)
from .faults import in_one_block


class _Group(click.Group):
    """Commands whose errors are one readable block; a traceback only with --debug."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with in_one_block():  # --help writes too
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with in_one_block():
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rbridge")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """Linear mixed models by R's nlme, with variance components whose uncertainty holds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # R's temporary folder goes too
    warnings.showwarning = _show_warning


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    click.echo(f"{click.style('warning', fg='yellow')}: {message}", err=True)


# --- one model --------------------------------------------------------------------------------


@main.command()
@model_options()
@fixed_effects_options()
@click.option("--snapshot", type=OUTPUT, help="Save the fit.")
@click.option("--format", "form", type=click.Choice(FIT_FORMATS), help="Of -o FILE too.")
@click.option("-o", "--output", type=OUTPUT, help="In place of standard output.")
def fit(**options: Any) -> None:
    """Fit a model to DATA and show its summary, and what else is asked for.

    Any of --ddf, --information, --kr, --vcov and --cluster shows the fixed effects by that
    inference, by default Kenward and Roger's. CSV is one table, of the contrasts where --compare
    is given; its caption goes to standard error. Without --format the ending of -o FILE names the
    form (.json, .md, .html, .csv); else it is text.
    """
    from .fit import show_fit

    show_fit(**options)


@main.command()
@model_options()
@click.option(
    "-n", "n", type=click.IntRange(1), default=1000, show_default=True, help="Replicates."
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes; -1: one a core.")
@click.option("--seed", type=int, help="Gives the same replicates again, whatever --jobs.")
@click.option("--level", type=click.FloatRange(0, 1, True, True), default=0.95, show_default=True)
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True)
@click.option("--witness", type=click.IntRange(0), default=0, help="Native: so many by nlme too.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "html"]), default="text")
@click.option("-o", "--replicates", type=OUTPUT, help="Save them as CSV.")
@click.pass_context
def bootstrap(ctx: click.Context, **options: Any) -> None:
    """Fit a model to DATA, draw responses from it and fit each of them again.

    After Ctrl-C the replicates that were done are shown, and the exit status is 130.
    """
    from .bootstrap import show_bootstrap

    ctx.exit(show_bootstrap(**options))


# --- suites -----------------------------------------------------------------------------------


@main.command()
@model_options(required=False)
@click.option("--suite", type=ANY_PATH, metavar="TOML", help="Every model of this file.")
@click.option("--against", type=ANY_PATH, metavar="FOLDER", help="Records.")
@click.option("--no-r", is_flag=True, help="With --against: only the native core.")
@JOBS
@TIMEOUT
@report_options()
@click.pass_context
def crosscheck(ctx: click.Context, **options: Any) -> None:
    """Compare nlme's apVar, the exact informations and lmeInfo.

    For one model of DATA (a file, or the name of a shipped data set), for every model of a
    --suite, or of the records --against which today's R and the native core are held. With both,
    a model that has changed since its record, or has none, and a record that no model is of are
    named.

    One run writes several reports: --output junit:a.xml --output html:a.html. Without a form,
    --format decides, else the file's ending, else it is text.

    Exit status: 0 the numbers agree, 1 they disagree, 2 they could not be checked.
    """
    from .suite import show_crosscheck

    ctx.exit(show_crosscheck(**options))


@main.command()
@click.option("--suite", type=ANY_PATH, required=True, metavar="TOML")
@click.option("-o", "--output", type=FOLDER, required=True)
@click.option("--yes", is_flag=True, help="Overwrite records that would change.")
@ENGINE
@JOBS
@TIMEOUT
@click.pass_context
def record(
    ctx: click.Context,
    suite: Path,
    output: Path,
    yes: bool,
    jobs: int,
    engine: str | None,
    timeout: float | None,
) -> None:
    """Store R's answers about a suite, one JSON file a model.

    Where there is a record already, what would change is shown and nothing is overwritten, unless
    --yes is given.

    Exit status: 0 all recorded, 2 some could not be, or would change.
    """
    from .suite import record_suite

    ctx.exit(record_suite(suite, output, jobs, engine, yes, timeout))


@main.group()
def suite() -> None:
    """Start a suite file, or show its schema."""


@suite.command()
@click.argument("data")
@click.option("-o", "--output", type=OUTPUT, help="Write there; never over an existing file.")
def init(data: str, output: Path | None) -> None:
    """A commented starter suite for DATA, with what its columns look like."""
    from .suite import start_suite

    start_suite(data, output)


@suite.command()
def schema() -> None:
    """The JSON schema of suite files."""
    from importlib.resources import files

    click.echo(files("rbridge").joinpath("suite.schema.json").read_text("utf-8"), nl=False)


# --- the installation -------------------------------------------------------------------------


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--strict", is_flag=True, help="Compare with the pinned versions too.")
@click.option("--pins", help="Section of pins.toml to compare with (trixie, forky).")
@click.option("--fix", is_flag=True, help="Print the one command that mends it, and nothing else.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, strict: bool, pins: str | None, fix: bool) -> None:
    """Show what is installed, what is missing, and how to mend it. Exit status 2 on a fault."""
    from ..r.doctor import doctor as examine

    found = examine(strict=strict, pins=pins)
    if fix:
        text = found.fix()
    else:
        text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if as_json else str(found)
    click.echo(text, nl=bool(text) and not text.endswith("\n"))
    ctx.exit(0 if found.ok else 2)


@main.command()
@report_options()
@click.option("--no-r", is_flag=True, help="Only what needs no R, on the fits that are shipped.")
@click.pass_context
def qualify(ctx: click.Context, **options: Any) -> None:
    """Prove this installation: its files, its operation, and some 600 published figures.

    The ending of -o FILE names the form (.html, .json, .xml, .md, .txt) where nothing else does.

    Exit status: 0 all agree, 1 a number disagrees, 2 something could not be checked.
    """
    from .qualify import show_qualification

    ctx.exit(show_qualification(**options))


@main.command()
@click.pass_context
def demo(ctx: click.Context) -> None:
    """The example that started it, end to end on real data."""
    from .demo import run

    ctx.exit(run(click.echo))
