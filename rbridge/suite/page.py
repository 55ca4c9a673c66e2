"""The outcome of a suite as one page of HTML that needs nothing else: the verdict first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import pandas as pd

from ..check.crosscheck import GAPS
from ..check.findings import MARKS, NOTE, OK, WARNING, Finding
from ..check.tolerances import CHECK
from ..check.verdict import Verdict
from ..show.cells import number
from ..show.document import about_list, document
from ..show.gap_picture import gap_picture
from .advice import advice
from .run import Outcome

_CLASSES = {
    Verdict.AGREE: "agree",
    Verdict.DISAGREE: "disagree",
    Verdict.UNCHECKED: "unchecked",
}
_TITLES = {
    Verdict.AGREE: "The numbers agree",
    Verdict.DISAGREE: "Numbers disagree",
    Verdict.UNCHECKED: "Not everything could be checked",
}
_SENTENCES = {
    Verdict.AGREE: "Nothing needs to be done.",
    Verdict.DISAGREE: "Do not use the numbers of these models before the difference is explained.",
    Verdict.UNCHECKED: "Nothing disagrees, but these models say nothing until that is mended.",
}
_STYLE = """
.models td, .models th { white-space: nowrap; }
.models td:first-child { white-space: normal; overflow-wrap: anywhere; }
.models th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0;
  cursor: pointer; color: inherit; text-decoration: underline dotted; }
.models th[aria-sort=ascending] button::after { content: " \\2191"; }
.models th[aria-sort=descending] button::after { content: " \\2193"; }
.mark.noted { color: #1f4f85; background: #e6f0fa; }
.findings { list-style: none; padding: 0; margin: .4rem 0; }
.findings li { padding: .1rem 0 .1rem 1.6rem; text-indent: -1.6rem; overflow-wrap: anywhere; }
.findings b { font-weight: 600; }
.findings .failure, .findings .unchecked { font-weight: 500; }
.findings .failure { color: #8f1d17; }
.findings .unchecked, .findings .warning { color: #7a4f00; }
.look { color: #38424c; font-size: .92rem; }
.problem { border-left: .3rem solid #b9c2ca; padding: .1rem 0 .1rem .9rem; margin: .8rem 0; }
.problem.disagree { border-color: #b3261e; }
.problem.unchecked { border-color: #9a6400; }
.wide { overflow-x: auto; }
"""
_SCRIPT = """
for (const table of document.querySelectorAll("table.models")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => row.cells[column].dataset.sort;
      const order = (a, b) => isNaN(key(a)) || isNaN(key(b))
        ? key(a).localeCompare(key(b)) : key(a) - key(b);
      const rows = [...body.rows].sort(order);
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
const show = () => {
  const name = decodeURIComponent(location.hash.slice(1));
  const found = name && document.getElementById(name);
  if (found && found.tagName === "DETAILS") found.open = true;
};
addEventListener("hashchange", show);
show();
"""
_LEGEND = (
    "<b>A</b>: nlme's approximate covariance (apVar) against the exact observed information: the "
    "error of nlme's finite differences. <b>B</b>: observed against expected information: two "
    "legitimate estimators, apart wherever a design is not balanced. <b>C</b>: expected "
    "information here against lmeInfo's: one formula by two programs, so that only rounding may "
    "be left. Each is the largest relative difference of two covariance matrices.<br>"
    "<b>✓ agrees</b>: no number lies further apart than is allowed. <b>· without a reference</b>: "
    "nothing disagrees, but lmeInfo has no answer that C could compare. <b>✓! warning</b>: the "
    "numbers agree, and something is to be looked at. <b>✗ disagrees</b>. <b>? could not be "
    "checked</b>: the reason is given. Exit status of <code>rbridge crosscheck</code>: 0 all "
    "agree, 1 a number disagrees, 2 something could not be checked."
)


def page(title: str, outcomes: Sequence[Outcome], headline: str, about: Mapping[str, str]) -> str:
    """The whole page.

    Parameters
    ----------
    title : str
        Of the suite.
    outcomes : sequence of Outcome
    headline : str
        The verdicts, counted.
    about : mapping of str to str
        Date, commit, versions.
    """
    code = Verdict.worst(outcome.code for outcome in outcomes)
    body = [
        f"<h1>rbridge: cross-check of {escape(title)}</h1>",
        _verdict(code, headline, about),
        _problems("What disagrees", outcomes, Verdict.DISAGREE),
        _problems("What could not be checked", outcomes, Verdict.UNCHECKED),
        _doubts([outcome for outcome in outcomes if outcome.warned]),
        f"<h2>What was checked</h2>{about_list(about)}",
        f'<h2>Models</h2><div class="wide">{_models(outcomes)}</div>',
        "<h2>Each model</h2>",
        *(_model(o, len(outcomes) == 1 or o.code is not Verdict.AGREE) for o in outcomes),
        f"<footer>{_LEGEND}</footer>",
    ]
    name = f"{code.mark} {title}: {_TITLES[code].lower()}"
    return document(name, "".join(body), _STYLE, _SCRIPT)


def _verdict(code: Verdict, headline: str, about: Mapping[str, str]) -> str:
    where = ", ".join(about[key] for key in ("date", "commit") if key in about)
    return (
        f'<section class="verdict {_CLASSES[code]}"><strong>{code.mark} {_TITLES[code]}</strong>'
        f"<p>{escape(headline)}. {_SENTENCES[code]}</p><p>{escape(where)}</p></section>"
    )


def _problems(title: str, outcomes: Sequence[Outcome], code: Verdict) -> str:
    bad = [outcome for outcome in outcomes if outcome.code is code]
    if not bad:
        return ""
    return f"<h2>{title}</h2>{''.join(map(_problem, bad))}"


def _problem(outcome: Outcome) -> str:
    told = [f for f in outcome.findings if f.level not in (OK, NOTE)]
    look = "".join(f'<p class="look">Look at: {escape(text)}.</p>' for text in advice(told))
    return (
        f'<div class="problem {_CLASSES[outcome.code]}"><b>{_link(outcome)}</b> '
        f"({escape(outcome.where)}){_findings(told)}{look}</div>"
    )


def _doubts(warned: Sequence[Outcome]) -> str:
    """Warnings of models that agree: nobody opens those by himself."""
    if not warned:
        return ""
    items = "".join(
        f"<li>{_link(outcome)}: {escape(finding.code)}: {escape(finding.text)}</li>"
        for outcome in warned
        for finding in outcome.findings
        if finding.level == WARNING
    )
    return f"<h2>To be looked at, though the numbers agree</h2><ul>{items}</ul>"


def _link(outcome: Outcome) -> str:
    return f'<a href="#model-{escape(outcome.name)}">{escape(outcome.name)}</a>'


# --- the table of all models ------------------------------------------------------------------


def _models(outcomes: Sequence[Outcome]) -> str:
    heads = ("Model", "Verdict", "A", "B", "C", "Seconds", "Data")
    numbers = {"A", "B", "C", "Seconds"}
    cells = "".join(
        f'<th scope="col"{" class=number" if head in numbers else ""}>{head}</th>' for head in heads
    )
    rows = "".join(map(_row, outcomes))
    return f'<table class="models"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>'


def _row(outcome: Outcome) -> str:
    order = (1, 2, 0).index(outcome.code) * 10 + (not outcome.warned) + outcome.without_reference
    gaps = "".join(_size(outcome.size(gap)) for gap in GAPS)
    return (
        f'<tr><td data-sort="{escape(outcome.name)}">{_link(outcome)}</td>'
        f'<td data-sort="{order}">{_mark(outcome)}</td>{gaps}'
        f'<td class="number" data-sort="{outcome.seconds:.3f}">{outcome.seconds:.1f}</td>'
        f'<td data-sort="{escape(outcome.data)}">{escape(outcome.data)}</td></tr>'
    )


def _size(size: float | None) -> str:
    """Gaps that could not be had stand below all others."""
    told = "–" if size is None else f"{size:.0e}"
    return f'<td class="number" data-sort="{-1 if size is None else size!r}">{told}</td>'


def _mark(outcome: Outcome) -> str:
    kind = "noted" if outcome.without_reference else _CLASSES[outcome.code]
    more = ", with a warning" if outcome.warned else ""
    return f'<span class="mark {kind}">{outcome.mark} {escape(outcome.words())}{more}</span>'


# --- one model --------------------------------------------------------------------------------


def _model(outcome: Outcome, opened: bool) -> str:
    state = " open" if opened else ""
    about = {"model": outcome.title, "stands in": outcome.where, "data": outcome.data}
    table = "" if outcome.table is None else _numbers(outcome.table)
    return (
        f'<details id="model-{escape(outcome.name)}"{state}><summary>{_mark(outcome)}'
        f'<span class="title">{escape(outcome.name)}</span>'
        f'<span class="count">{outcome.seconds:.1f} s</span></summary><div class="inside">'
        f"{about_list({k: v for k, v in about.items() if v})}{_findings(outcome.findings)}{table}"
        "</div></details>"
    )


def _findings(findings: Iterable[Finding]) -> str:
    items = "".join(
        f'<li class="{finding.level}">{MARKS[finding.level]} <b>{escape(finding.code)}</b>: '
        f"{escape(finding.text)}</li>"
        for finding in findings
    )
    return f'<ul class="findings">{items}</ul>'


def _numbers(table: pd.DataFrame) -> str:
    """Estimates and standard errors by method, and the picture of their gaps."""
    columns = [column for column in table if column not in GAPS]
    heads = "".join(f'<th scope="col" class="number">{escape(str(c))}</th>' for c in columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th>'
        + "".join(f'<td class="number">{escape(number(value))}</td>' for value in values)
        + "</tr>"
        for name, *values in table[columns].itertuples(name=None)
    )
    limits = {gap: CHECK[gap].value for gap in GAPS}
    return (
        f'<table><thead><tr><th scope="col">Component: standard error by method</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table>{gap_picture(table, limits)}"
    )
