"""``rbridge bootstrap``: the parametric bootstrap of one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .model import fit_model, model_options

INTERRUPTED = 130  # as shells have it for Ctrl-C


@click.command()
@model_options()
@click.option(
    "-n", "n", type=click.IntRange(1), default=1000, show_default=True, help="Replicates."
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes; -1: one a core.")
@click.option("--seed", type=int, help="Gives the same replicates again, whatever --jobs.")
@click.option("--level", type=click.FloatRange(0, 1, True, True), default=0.95, show_default=True)
@click.option(
    "--kind",
    type=click.Choice(["percentile", "basic", "bca"]),
    default="percentile",
    show_default=True,
)
@click.option("--format", "form", type=click.Choice(["text", "markdown", "html"]), default="text")
@click.option(
    "-o", "--replicates", type=click.Path(dir_okay=False, path_type=Path), help="Save them as CSV."
)
@click.pass_context
def bootstrap(
    ctx: click.Context,
    n: int,
    jobs: int,
    seed: int | None,
    level: float,
    kind: str,
    form: str,
    replicates: Path | None,
    **options: Any,
) -> None:
    """Fit a model to DATA, draw responses from it and fit each of them again.

    After Ctrl-C the replicates that were done are shown, and the exit status is 130.
    """
    result = fit_model(**options).bootstrap(n, n_jobs=jobs, seed=seed)
    if replicates is not None:
        result.replicates.to_csv(replicates)
    report = result.summary(level, kind=kind)
    writers = {"text": report.__str__, "markdown": report.to_markdown, "html": report.to_html}
    click.echo(writers[form]())
    ctx.exit(INTERRUPTED if result.interrupted else 0)
