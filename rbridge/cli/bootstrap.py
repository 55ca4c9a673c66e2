"""``rbridge bootstrap``: the parametric bootstrap of one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..files import write_whole
from .faults import INTERRUPTED
from .model import fit_model


def show_bootstrap(
    n: int,
    jobs: int,
    seed: int | None,
    level: float,
    kind: str,
    witness: int,
    form: str,
    replicates: Path | None,
    **model: Any,
) -> int:
    """Fit, draw, fit again, show; the exit status."""
    result = fit_model(**model).bootstrap(n, n_jobs=jobs, seed=seed, witness=witness)
    if replicates is not None:
        write_whole(replicates, result.replicates.to_csv())
    report = result.summary(level, kind=kind)
    writers = {"text": report.__str__, "markdown": report.to_markdown, "html": report.to_html}
    click.echo(writers[form]())
    return INTERRUPTED if result.interrupted else 0
