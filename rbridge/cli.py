"""The command line: thin. Every command is a function of the package and a way to print it."""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from .data_files import as_category, read_data
from .errors import RBridgeError, SpecError

AGREE, DISAGREE, UNCHECKED = 0, 1, 2


class _Group(click.Group):
    """Turns errors into one readable block and exit code 2; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RBridgeError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"{click.style('error', fg='red', bold=True)}: {error}", err=True)
            ctx.exit(UNCHECKED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rbridge")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """Linear mixed models by R's nlme, with variance components whose uncertainty holds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # R's temporary folder goes too
    warnings.showwarning = _show_warning


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    click.echo(f"{click.style('warning', fg='yellow')}: {message}", err=True)


def _model_options(command: Any) -> Any:
    options = [
        click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
        click.option("--fixed", required=True, help="Fixed effects: 'y ~ x'."),
        click.option("--random", help="Random effects: '~ x | group'. Without it, gls."),
        click.option("--correlation", help="'corAR1(form = ~ time | group)'."),
        click.option("--weights", help="'varIdent(form = ~ 1 | group)'."),
        click.option("--method", type=click.Choice(["REML", "ML"]), default="REML"),
        click.option("--contrasts", multiple=True, metavar="COL=NAME", help="'sex=contr.sum'."),
        click.option("--category", multiple=True, metavar="COL", help="Treat as a factor."),
        click.option("--control", multiple=True, metavar="KEY=VALUE", help="'opt=optim'."),
        click.option("--na-action", type=click.Choice(["drop", "raise"]), default="drop"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _fit(data: Path, category: tuple[str, ...], **options: Any) -> Any:
    from . import gls, lme

    frame = as_category(read_data(data), category, data.name)
    fixed, random = options.pop("fixed"), options.pop("random")
    options["contrasts"] = dict(_pair(text, "--contrasts") for text in options["contrasts"])
    pairs = [_pair(text, "--control") for text in options["control"]]
    options["control"] = {key: _literal(value) for key, value in pairs}
    if random is None:
        return gls(fixed, frame, **options)
    return lme(fixed, frame, random, **options)


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise SpecError(f"{option} takes name=value, not {text!r}")
    return key.strip(), value.strip()


def _literal(text: str) -> bool | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text


@main.command()
@_model_options
@click.option("--snapshot", type=click.Path(dir_okay=False, path_type=Path), help="Save the fit.")
def fit(snapshot: Path | None, **options: Any) -> None:
    """Fit a model to DATA and show its summary and variance components."""
    result = _fit(**options)
    click.echo(str(result.summary()))
    click.echo(str(result.diagnose()))
    if snapshot is not None:
        result.snapshot.save(snapshot)
        click.echo(f"saved to {snapshot}", err=True)


@main.command()
@_model_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "junit", "html"]),
    default="text",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def crosscheck(ctx: click.Context, form: str, output: Path | None, **options: Any) -> None:
    """Compare nlme's apVar, the exact informations and lmeInfo for one model.

    Exit status: 0 the numbers agree, 1 they disagree, 2 they could not be checked.
    """
    check = _fit(**options).crosscheck()
    writers = {
        "text": check.__str__,
        "json": check.to_json,
        "markdown": check.to_markdown,
        "junit": check.to_junit,
        "html": check._repr_html_,
    }
    text = writers[form]()
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")
    ctx.exit(DISAGREE if not check.passed else AGREE if check.checked else UNCHECKED)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--strict", is_flag=True, help="Compare with the pinned versions too.")
@click.option("--pins", help="Section of pins.toml to compare with (trixie, forky).")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, strict: bool, pins: str | None) -> None:
    """Show what is installed, what is missing, and how to mend it. Exit status 1 on a fault."""
    from .doctor import doctor as examine

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


if __name__ == "__main__":
    main()
