"""The outcome of a suite as text, JSON, markdown, JUnit XML and HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..check.findings import ANNOTATED, MARKS, NOTE, OK, Finding, lines
from ..check.verdict import Verdict
from ..show.cells import Part, filled, pipe_table
from ..show.github import annotation
from ..show.junit import JUnitCase, State, class_name, junit
from ..show.report import Report, Reported
from .advice import advice
from .page import page
from .run import Outcome, versions

COMMENT_LIMIT = 60_000  # characters; a pull-request comment holds 65 536
_STATES: dict[Verdict, State] = {
    Verdict.AGREE: "passed",
    Verdict.DISAGREE: "failure",
    Verdict.UNCHECKED: "error",
}
_SHOWN = ("R", "nlme", "lmeInfo", "rpy2", "python", "platform", "BLAS")


@dataclass(frozen=True)
class SuiteReport(Reported):
    """The outcomes of all models of a suite or of a folder of records.

    Attributes
    ----------
    title : str
    outcomes : tuple of Outcome
    recorded : bool
        The models come from records, whose versions are then shown.
    about : mapping of str to str
        Date, commit, machine.
    """

    title: str
    outcomes: tuple[Outcome, ...]
    recorded: bool = False
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> Verdict:
        """Exit status: 1 where a model disagrees, else 2 where one could not be checked, else 0."""
        return Verdict.worst(outcome.code for outcome in self.outcomes)

    @property
    def bad(self) -> tuple[Outcome, ...]:
        """The models that do not agree."""
        return tuple(o for o in self.outcomes if o.code != Verdict.AGREE)

    @property
    def doubtful(self) -> tuple[Outcome, ...]:
        """The models that agree, and yet have a warning."""
        return tuple(o for o in self.outcomes if o.warned)

    def headline(self) -> str:
        """``83 models: 82 agree, 1 disagrees``."""
        groups: dict[tuple[int, bool], list[Outcome]] = {}
        for o in self.outcomes:
            groups.setdefault((o.code, o.without_reference), []).append(o)
        parts = [f"{len(g)} {g[0].words(len(g))}" for _, g in sorted(groups.items())]
        n = len(self.outcomes)
        return f"{n} model{'s' if n != 1 else ''}: {', '.join(parts)}"

    def _html(self) -> str:
        """A page of its own, without external resources."""
        about = {**self.about, "suite": self.title, **self._installations()}
        return page(self.title, self.outcomes, self.headline(), about)

    def annotations(self) -> str:
        """What is wrong as GitHub's workflow commands, the worst first: it shows ten of a kind."""
        return "\n".join(
            annotation(ANNOTATED[f.level], f.text, f"{o.name}: {f.code}", o.where)
            for o in self._explained
            for f in _told(o)
        )

    def _markdown(self) -> str:
        """For a pull-request comment: what is wrong first, everything folded away below."""
        blocks = [f"### {self.code.mark} {self.title}: {self.headline()}"]
        blocks += [f"**{o.name}** ({o.where})\n\n{_markdown(o)}" for o in self._explained]
        rest = self.outcomes
        while True:
            table = pipe_table(_table(rest)) if rest else "(not shown)"
            inside = f"{table}\n\n{self._versions()}"
            folded = f"<details><summary>All models</summary>\n\n{inside}\n</details>"
            if sum(map(len, blocks)) + len(folded) <= COMMENT_LIMIT or not (rest or blocks[1:]):
                return "\n\n".join([*blocks, folded]) + "\n"
            rest, blocks = self._shorter(rest, blocks)

    def _shorter(
        self, rest: tuple[Outcome, ...], blocks: list[str]
    ) -> tuple[tuple[Outcome, ...], list[str]]:
        """Half as many agreeing models in the table; then half as many problems in full."""
        if rest:
            return rest[: len(rest) // 2], blocks
        kept = blocks[: 1 + (len(blocks) - 1) // 2]
        return rest, [*kept, "… and more: see the full report"] if len(kept) > 1 else kept

    def to_json(self) -> str:
        """Everything."""
        content = {
            "suite": self.title,
            "exit": self.code,
            "verdict": self.headline(),
            "about": dict(self.about),
            "provenance": versions(self.outcomes),
            "models": [_plain(outcome) for outcome in self.outcomes],
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def to_junit(self) -> str:
        """JUnit XML: one test case a model."""
        cases = [_junit_case(outcome, self.title) for outcome in self.outcomes]
        return junit(self.title, cases, properties=self.about) + "\n"

    @property
    def _explained(self) -> tuple[Outcome, ...]:
        """What is wrong first, then what is to be looked at."""
        bad = sorted(self.bad, key=lambda outcome: outcome.code)
        return (*bad, *self.doubtful)

    def _report(self) -> Report:
        parts: list[tuple[str, Part]] = [("", _table(self.outcomes))]
        parts += [(f"{o.name} ({o.where})", _in_full(o)) for o in self._explained]
        last = [_filled(self._versions()), self.headline()]
        parts.append(("", "\n".join(filter(None, last))))
        return Report(f"Cross-check: {self.title}", parts)

    def _installations(self) -> dict[str, str]:
        """What the numbers are from."""
        shown = _each(outcome.provenance for outcome in self.outcomes)
        if not (self.recorded and shown):
            return {"with": shown} if shown else {}
        today = _each(outcome.today for outcome in self.outcomes)
        return {"recorded with": shown, "today": today or "without R"}

    def _versions(self) -> str:
        found = self._installations()
        if "today" not in found:
            return found.get("with", "")
        now = found["today"] if found["today"] == "without R" else f"with {found['today']}"
        return f"recorded with {found['recorded with']}\ntoday {now}"


def _each(provenances: Iterable[Mapping[str, Any]]) -> str:
    """Every installation that took part, once."""
    return "; or with ".join(dict.fromkeys(filter(None, map(_listed, provenances))))


def _listed(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {found[name]}" for name in _SHOWN if found.get(name))


def _told(outcome: Outcome) -> list[Finding]:
    """What explains a verdict: everything but what is in order."""
    return [finding for finding in outcome.findings if finding.level not in (OK, NOTE)]


def _in_full(outcome: Outcome) -> str:
    """What explains a verdict, and what to look at, wrapped for a terminal."""
    told = [_filled(f"{MARKS[f.level]} {f.code}: {f.text}") for f in _told(outcome)]
    return "\n".join([*told, *(_filled(f"→ {text}.") for text in advice(outcome.findings))])


def _filled(text: str) -> str:
    return "\n".join(filled(line) for line in text.splitlines())


def _markdown(outcome: Outcome) -> str:
    texts = [f"- {MARKS[f.level]} {f.code}: {' '.join(f.text.split())}" for f in _told(outcome)]
    texts += [f"- → {text}." for text in advice(outcome.findings)]
    return "\n".join(_marked(text[:1000]) for text in texts)


def _marked(text: str) -> str:
    """What markdown would take for emphasis or HTML, as it is."""
    return re.sub(r"([\\`*_<>\[\]|~])", r"\\\1", text)


def _table(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """One row a model: verdict, the gaps, seconds."""
    rows = [[o.mark, *(_size(o.size(gap)) for gap in "ABC"), f"{o.seconds:.1f}"] for o in outcomes]
    index = pd.Index([o.name for o in outcomes], name="model")
    return pd.DataFrame(rows, index=index, columns=["verdict", "A", "B", "C", "seconds"])


def _size(size: float | None) -> str:
    return "–" if size is None else f"{size:.0e}"


def _plain(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "name": outcome.name,
        "where": outcome.where,
        "model": outcome.title,
        "data": outcome.data,
        "verdict": outcome.words(),
        "findings": [vars(finding) for finding in outcome.findings],
        "seconds": round(outcome.seconds, 3),
        "provenance": dict(outcome.provenance),
        "today": dict(outcome.today),
    }


def _junit_case(outcome: Outcome, title: str) -> JUnitCase:
    return JUnitCase(
        outcome.name,
        _STATES[outcome.code],
        outcome.words(),
        lines(_told(outcome)),
        lines(outcome.findings),
        outcome.seconds,
        class_name("rbridge", Path(title.split()[0]).stem),
        _properties(outcome),
    )


def _properties(outcome: Outcome) -> Mapping[str, str]:
    """What a CI system can list beside a case."""
    found = {"model": outcome.title, "where": outcome.where, "verdict": outcome.words()}
    found |= {"data": outcome.data} if outcome.data else {}
    found |= {name: str(v) for name in _SHOWN if (v := outcome.provenance.get(name))}
    return found | {f"{n} today": str(v) for n in _SHOWN if (v := outcome.today.get(n))}
