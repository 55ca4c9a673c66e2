"""The qualification as text, JSON, markdown and JUnit XML, and what every form shares."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Literal

import pandas as pd

from ..check.verdict import Verdict
from ..show.cells import TERMINAL, marked, pipe_table
from ..show.github import annotation
from ..show.junit import JUnitCase, State, class_name, junit
from .page import page
from .proof import SECTIONS, Proof
from .run import Qualification
from .words import counted, grouped, headline, mark, reasons, state, word

_STATES: dict[Verdict | None, State] = {
    Verdict.AGREE: "passed",
    Verdict.DISAGREE: "failure",
    Verdict.UNCHECKED: "error",
    None: "skipped",
}
MOST = 50  # figures that the summary of a job lists


def to_summary(qualification: Qualification) -> str:
    """For a terminal: the verdict, what is wrong, then a line a group."""
    return _text(qualification, _summed_up)


def to_text(qualification: Qualification) -> str:
    """Everything: the verdict, what is wrong, then every figure with its source."""
    return _text(qualification, _listed)


def _text(qualification: Qualification, told: Callable[[str, Sequence[Proof]], str]) -> str:
    about = "\n".join(f"{name.ljust(12)} {text}" for name, text in qualification.about.items())
    told_first = _filled(headline(qualification), "")
    blocks = [told_first, about]
    proofs = qualification.proofs
    blocks += [_in_full(proof) for proof in proofs if proof.verdict is Verdict.DISAGREE]
    blocks += _told("? Could not be checked", reasons(proofs, Verdict.UNCHECKED))
    blocks += _told("– Not run", reasons(proofs, None))
    for section, question in SECTIONS.items():
        within = qualification.of(section)
        lines = [f"{section.capitalize()}: {question} {counted(within)}"]
        lines += [told(name, of) for name, of in grouped(within).items()]
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, told_first]) + "\n"


def _told(title: str, said: Sequence[str]) -> list[str]:
    return [_filled(f"{title}: {text}", "  ").lstrip() for text in said]


def _summed_up(group: str, proofs: Sequence[Proof]) -> str:
    return f"  {mark(state(proofs))} {group}: {counted(proofs)}"


def _listed(group: str, proofs: Sequence[Proof]) -> str:
    """A group's figures, their source and their tolerance once where they share them."""
    lines = [f"\n  {group}"]
    for (source, why), of in _by_source(proofs).items():
        lines.append(_filled(f"Source: {source}. {why}", "    "))
        lines += [f"    {mark(proof.verdict)} {proof.name}: {_numbers(proof)}" for proof in of]
    return "\n".join(lines)


def _by_source(proofs: Sequence[Proof]) -> dict[tuple[str, str], list[Proof]]:
    found: dict[tuple[str, str], list[Proof]] = {}
    for proof in proofs:
        found.setdefault((proof.source, proof.why), []).append(proof)
    return found


def _numbers(proof: Proof) -> str:
    told = f"expected {proof.expected}, found {proof.found}" if proof.expected else proof.found
    if proof.difference is None or proof.tolerance is None:
        return told
    return f"{told}, difference {proof.difference:+.1e}, allowed {proof.tolerance:.1e}"


def _in_full(proof: Proof) -> str:
    first = f"{mark(proof.verdict)} {proof.group}: {proof.name}: {word(proof)}"
    rest = _filled(f"{proof.source}; {proof.why}", "    ")
    return f"{first}\n    {_numbers(proof)}\n{rest}"


def _filled(text: str, indent: str) -> str:
    return textwrap.fill(text, TERMINAL, initial_indent=indent, subsequent_indent=indent)


def to_json(qualification: Qualification) -> str:
    """Everything."""
    content = {
        "exit": qualification.code,
        "verdict": headline(qualification),
        "seconds": qualification.seconds and round(qualification.seconds, 3),
        "with_r": qualification.with_r,
        "about": qualification.about,
        "proofs": [
            {**asdict(proof), "verdict": word(proof), "seconds": round(proof.seconds, 4)}
            for proof in qualification.proofs
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def to_junit(qualification: Qualification) -> str:
    """JUnit XML: one test case a proof."""
    cases = [_case(proof) for proof in qualification.proofs]
    return junit("rbridge qualify", cases, properties=qualification.about) + "\n"


def _case(proof: Proof) -> JUnitCase:
    name = f"{proof.section}: {proof.group}: {proof.name}"
    group = class_name("rbridge", "qualify", proof.section, proof.group)
    told = _in_full(proof)
    message = proof.why if proof.verdict is None else word(proof)
    details = told if proof.verdict else ""
    return JUnitCase(name, _STATES[proof.verdict], message, details, told, proof.seconds, group)


def to_markdown(qualification: Qualification) -> str:
    """For the summary of a CI job: the verdict, what is wrong, a row a section."""
    proofs, code = qualification.proofs, qualification.code
    blocks = [f"### {code.mark} rbridge qualify: {headline(qualification)}"]
    bad = [proof for proof in proofs if proof.verdict is Verdict.DISAGREE]
    if bad:
        blocks.append(pipe_table(_frame([_of_markdown(proof) for proof in bad[:MOST]], "figure")))
    blocks += [f"… and {len(bad) - MOST} more"] if len(bad) > MOST else []
    titles = {Verdict.UNCHECKED: "? Could not be checked", None: "– Not run"}
    for verdict, title in titles.items():
        blocks += [f"{title}: {marked(text)}" for text in reasons(proofs, verdict)]
    rows = [
        {"section": name.capitalize(), "question": question, "": counted(qualification.of(name))}
        for name, question in SECTIONS.items()
    ]
    about = "; ".join(f"{name} {text}" for name, text in qualification.about.items())
    return "\n\n".join([*blocks, pipe_table(_frame(rows, "section")), about]) + "\n"


def _of_markdown(proof: Proof) -> dict[str, str]:
    return {
        "figure": f"{proof.group}: {proof.name}",
        "expected": proof.expected,
        "found": proof.found,
        "source": proof.source,
    }


def _frame(rows: Sequence[dict[str, str]], by: str) -> pd.DataFrame:
    return pd.DataFrame(rows).set_index(by)


def to_annotations(qualification: Qualification) -> str:
    """What disagrees or could not be checked, as GitHub's workflow commands."""
    levels: dict[Verdict, Literal["error", "warning"]]
    levels = {Verdict.DISAGREE: "error", Verdict.UNCHECKED: "warning"}
    found = [
        annotation(levels[verdict], _in_full(proof), f"{proof.group}: {proof.name}")
        for verdict in levels
        for proof in qualification.proofs
        if proof.verdict is verdict
    ]
    return "\n".join(found)


SUMMARY = "summary"
FORMS: dict[str, Callable[[Qualification], str]] = {
    SUMMARY: to_summary,
    "text": to_text,
    "json": to_json,
    "markdown": to_markdown,
    "junit": to_junit,
    "html": page,
}
