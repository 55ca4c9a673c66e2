"""``rbridge fit``: the fit of a model, and its fixed effects as they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ..analysis.fixed_effects import HypothesisTest
from ..analysis.summary import varcomp_frame
from ..datasets.sources import load_data
from ..errors import SpecError
from ..files import write_whole
from ..results import LmeResults
from ..show.cells import HTML_HEAD, is_text
from ..show.report import Report
from ..suite.json_text import dumps
from . import reports
from .model import fit_frame, literal, pairs

ENDINGS = {**reports.ENDINGS, ".csv": "csv"}
INFERENCE = ("ddf", "information", "kr", "vcov", "cluster")


@dataclass(frozen=True)
class Table:
    """What is shown of the fixed effects: a title, a caption that says the method, the rows."""

    title: str
    caption: str
    frame: pd.DataFrame

    def report(self) -> Report:
        labels = [c for c in self.frame if is_text(self.frame[c])]
        return Report(self.title, [(self.caption, self.frame.set_index(labels))])


def show_fit(
    data: str,
    category: tuple[str, ...],
    snapshot: Path | None,
    form: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """The fit of a model, shown and, if asked for, saved."""
    form = form or _by_ending(output)
    frame = load_data(data, Path("."), category)
    asked = {name: options.pop(name) for name in (*INFERENCE, *_SHOWN)}
    _check(asked, form)
    fit = fit_frame(frame, **options)
    tables = _tables(fit, frame, asked, form)
    if snapshot is not None:
        fit.snapshot.save(snapshot)
        click.echo(f"saved to {snapshot}", err=True)
    text = _WRITERS[form](fit, tables)
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        write_whole(output, text)


def _by_ending(output: Path | None) -> str:
    """The form that a file's name asks for; text where it asks for none."""
    form = ENDINGS.get(output.suffix.lower(), "text") if output else "text"
    return form if form in _WRITERS else "text"


_SHOWN = ("level", "anova", "test", "means", "by", "at", "mean_weights", "compare", "adjust")


def _check(asked: Mapping[str, Any], form: str) -> None:
    """Options that do nothing without another one, and more tables than the format holds."""
    count = bool(asked["anova"]) + len(asked["test"]) + bool(asked["means"])
    if form == "csv" and count > 1:
        raise SpecError("csv holds one table: give one of --anova, --test and --means")
    for name in ("by", "at", "compare"):
        if asked[name] and not asked["means"]:
            raise SpecError(f"--{name} goes with --means, the column to take the means of")
    if asked["adjust"] != "none" and not asked["compare"]:
        raise SpecError("--adjust goes with --compare, the contrasts between the means")


def _tables(
    fit: LmeResults, data: pd.DataFrame, asked: Mapping[str, Any], form: str
) -> list[Table]:
    inference = {name: asked[name] for name in INFERENCE if asked[name] is not None}
    cluster = inference.get("cluster")
    if cluster is not None and cluster in data:
        inference["cluster"] = data[cluster]
    tables = []
    if asked["anova"]:
        found = fit.anova(asked["anova"], **inference).rename_axis("term").reset_index()
        tables.append(Table("Tests of terms", found.attrs["caption"], found))
    tables += [_test(fit.test(text, **inference)) for text in asked["test"]]
    if asked["means"]:
        tables += _means(fit, asked, inference)
    wanted = bool(inference) or form != "text"
    if wanted and not (form == "csv" and tables):
        found = fit.fixed_effects(level=asked["level"], **inference)
        named = found.rename_axis("coefficient").reset_index()
        tables.insert(0, Table("Fixed effects", found.attrs["caption"], named))
    return tables


_TEST = ["hypothesis", "F", "df_num", "df_den", "p"]


def _test(test: HypothesisTest) -> Table:
    row = [test.statistic, test.df_num, test.df_den, test.p]
    frame = pd.DataFrame([["; ".join(test.rows), *row]], columns=_TEST)
    return Table("Test", "; ".join(filter(None, [test.caption, test.note])), frame)


def _means(fit: LmeResults, asked: Mapping[str, Any], inference: Mapping[str, Any]) -> list[Table]:
    options: dict[str, Any] = {"weights": asked["mean_weights"], "level": asked["level"]}
    options["at"] = _at(asked["at"])
    means = fit.means(list(asked["means"]), by=list(asked["by"]), **options, **inference)
    tables = [Table("Marginal means", means.caption, means.to_frame())]
    if asked["compare"]:
        found = means.contrasts(asked["compare"], asked["adjust"])
        tables.append(Table("Contrasts", found.attrs["caption"], found))
    return tables


def _at(texts: Iterable[str]) -> dict[str, list[Any]]:
    given = pairs(texts, "--at")
    return {
        name: [literal(part.strip()) for part in text.split(",")] for name, text in given.items()
    }


# --- writers ----------------------------------------------------------------------------------


def _text(fit: LmeResults, tables: Sequence[Table]) -> str:
    parts = [str(fit.summary()), str(fit.diagnose()), *(str(table.report()) for table in tables)]
    return "\n".join(parts)


def _reports(fit: LmeResults, tables: Sequence[Table]) -> list[Report]:
    """What is shown; the summary has the findings where there is a doubt."""
    diagnosis = fit.diagnose()
    said = [Report("Diagnosis", [("", str(diagnosis).rstrip())])] if diagnosis.regular else []
    return [fit.summary(), *said, *(table.report() for table in tables)]


def _markdown(fit: LmeResults, tables: Sequence[Table]) -> str:
    return "\n".join(report.to_markdown() for report in _reports(fit, tables))


def _html(fit: LmeResults, tables: Sequence[Table]) -> str:
    return HTML_HEAD + "\n".join(report.to_html() for report in _reports(fit, tables)) + "\n"


def _json(fit: LmeResults, tables: Sequence[Table]) -> str:
    """Numbers that are infinite or that there are none of are null; the captions say which."""
    components, heading = varcomp_frame(fit)
    criteria = {"log_likelihood": fit.llf, "AIC": fit.aic, "BIC": fit.bic, "rows": fit.nobs}
    shown = [
        Table("Variance components", heading, components.rename_axis("component").reset_index())
    ]
    return dumps(
        {
            "model": _plain(dict(fit.snapshot.spec)),
            **{name: _plain(value) for name, value in criteria.items()},
            "converged": fit.converged,
            "warnings": list(fit.warnings_),
            "findings": [{"level": f.level, "text": f.text} for f in fit.diagnose()],
            "tables": [
                {"title": t.title, "caption": t.caption, "rows": _records(t.frame)}
                for t in (*shown, *tables)
            ],
        }
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _csv(fit: LmeResults, tables: Sequence[Table]) -> str:
    table = tables[-1]  # the contrasts, where means were asked for too
    click.echo(table.caption, err=True)
    text: str = table.frame.to_csv(index=False, lineterminator="\n")
    return text


_WRITERS = {"text": _text, "markdown": _markdown, "html": _html, "json": _json, "csv": _csv}
