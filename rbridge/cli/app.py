"""The command line: thin. Every command is a function of the package and a way to print it."""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from .bootstrap import bootstrap
from .model import fit_model, model_options
from .suite import crosscheck, record, suite
from ..errors import RBridgeError
from ..suite.run import UNCHECKABLE


class _Group(click.Group):
    """Turns errors into one readable block and exit code 2; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RBridgeError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"{click.style('error', fg='red', bold=True)}: {error}", err=True)
            ctx.exit(UNCHECKABLE)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rbridge")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """Linear mixed models by R's nlme, with variance components whose uncertainty holds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # R's temporary folder goes too
    warnings.showwarning = _show_warning


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    click.echo(f"{click.style('warning', fg='yellow')}: {message}", err=True)


@main.command()
@model_options()
@click.option("--snapshot", type=click.Path(dir_okay=False, path_type=Path), help="Save the fit.")
def fit(snapshot: Path | None, **options: Any) -> None:
    """Fit a model to DATA and show its summary and variance components."""
    result = fit_model(**options)
    click.echo(str(result.summary()))
    click.echo(str(result.diagnose()))
    if snapshot is not None:
        result.snapshot.save(snapshot)
        click.echo(f"saved to {snapshot}", err=True)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--strict", is_flag=True, help="Compare with the pinned versions too.")
@click.option("--pins", help="Section of pins.toml to compare with (trixie, forky).")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, strict: bool, pins: str | None) -> None:
    """Show what is installed, what is missing, and how to mend it. Exit status 1 on a fault."""
    from ..r.doctor import doctor as examine

    found = examine(strict=strict, pins=pins)
    text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if as_json else str(found)
    click.echo(text, nl=not text.endswith("\n"))
    ctx.exit(0 if found.ok else 1)


@main.command()
@click.pass_context
def demo(ctx: click.Context) -> None:
    """The example that started it, end to end on real data."""
    from .demo import run

    ctx.exit(run(click.echo))


main.add_command(bootstrap)
main.add_command(crosscheck)
main.add_command(record)
main.add_command(suite)

if __name__ == "__main__":
    main()
