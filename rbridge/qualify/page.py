"""The qualification as one page of HTML that needs nothing else: the verdict first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..check.verdict import Verdict
from ..show.document import about_list, document
from .proof import PERFORMANCE, SECTIONS, Proof
from .run import Qualification
from .words import VERDICTS, counted, grouped, mark, reasons, state, word

_CLASSES: dict[Verdict | None, str] = {
    Verdict.AGREE: "agree",
    Verdict.DISAGREE: "disagree",
    Verdict.UNCHECKED: "unchecked",
    None: "skipped",
}
_SENTENCES = {
    Verdict.AGREE: "Everything that was checked agrees.",
    Verdict.DISAGREE: "Numbers disagree: do not use this installation before they are explained.",
    Verdict.UNCHECKED: "Nothing disagrees, but not everything could be checked.",
}
SHORT = 24  # characters that are not broken
_OF_SECTIONS = {
    Verdict.AGREE: "agrees",
    Verdict.DISAGREE: "DISAGREES",
    Verdict.UNCHECKED: "not fully checked",
}
_STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem;
  margin: 1rem 0; }
.card { border: 1px solid #d5dbe1; border-top: .3rem solid; border-radius: .4rem;
  padding: .7rem .9rem; color: inherit; text-decoration: none; }
.card b { display: block; font-size: 1.05rem; }
.card.agree { border-top-color: #1b7a34; }
.card.disagree { border-top-color: #b3261e; }
.card.unchecked { border-top-color: #9a6400; }
.card.skipped { border-top-color: #6a7681; }
.source { font-size: .9rem; color: #38424c; }
td:first-child { overflow-wrap: anywhere; min-width: 10rem; }
tr.disagree td { background: #fde8e6; }
tr.unchecked td { background: #fdf1d8; }
"""
_LEGEND = (
    "<b>agrees</b>: the difference is no larger than allowed. <b>disagrees</b>: it is larger. "
    "<b>could not be checked</b>: something that is needed is missing; the reason is given. "
    "<b>not run</b>: left out, for the reason given; it counts neither way. Exit status of "
    "<code>rbridge qualify</code>: 0 everything that was run agrees, 1 a number disagrees, "
    "2 something could not be checked."
)


def page(qualification: Qualification) -> str:
    """The whole page."""
    code = qualification.code
    body = [
        "<h1>rbridge: qualification of an installation</h1>",
        _verdict(qualification, code),
        f'<nav class="cards">{"".join(_card(qualification, name) for name in SECTIONS)}</nav>',
        _wrong(qualification.proofs),
        _without("What could not be checked", qualification.proofs, Verdict.UNCHECKED),
        _without("What was not run", qualification.proofs, None),
        f"<h2>What was qualified</h2>{about_list(qualification.about)}",
        *(_section(qualification, name) for name in SECTIONS),
        f"<footer>{_LEGEND}</footer>",
    ]
    return document(f"rbridge qualification: {VERDICTS[code].lower()}", "".join(body), _STYLE)


def _verdict(qualification: Qualification, code: Verdict) -> str:
    about = qualification.about
    words = f"{code.mark} {VERDICTS[code]}{'' if qualification.with_r else ' without R'}"
    version = about.get("rbridge", "from a source tree that is not installed")
    where = ", ".join(filter(None, (about["date"], about.get("machine"), f"rbridge {version}")))
    seconds = qualification.seconds
    took = "" if seconds is None else f", in {seconds:.0f} seconds"
    counts = f"{counted(qualification.proofs)}{took}"
    return (
        f'<section class="verdict {_CLASSES[code]}"><strong>{escape(words)}</strong>'
        f"<p>{escape(_SENTENCES[code])} {escape(counts)}.</p><p>{escape(where)}</p></section>"
    )


def _card(qualification: Qualification, section: str) -> str:
    proofs = qualification.of(section)
    worst = state(proofs)
    words = "not run" if worst is None else _OF_SECTIONS[worst]
    return (
        f'<a class="card {_CLASSES[worst]}" href="#{section}"><b>{section.capitalize()}: '
        f"{words}</b>{escape(SECTIONS[section])}<br>{escape(counted(proofs))}</a>"
    )


def _wrong(proofs: Sequence[Proof]) -> str:
    """What disagrees, in full, before everything else."""
    bad = [proof for proof in proofs if proof.verdict is Verdict.DISAGREE]
    rows = "".join(_row(proof, named=True) for proof in bad)
    return f"<h2>What disagrees</h2>{_table(rows)}" if bad else ""


def _without(title: str, proofs: Sequence[Proof], verdict: Verdict | None) -> str:
    """What has no answer, by reason."""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons(proofs, verdict))
    return f"<h2>{title}</h2><ul>{items}</ul>" if items else ""


def _section(qualification: Qualification, section: str) -> str:
    proofs = qualification.of(section)
    title = f'<h2 id="{section}">{section.capitalize()}</h2>'
    told = f"{title}<p>{escape(SECTIONS[section])} {escape(counted(proofs))}.</p>"
    if section != PERFORMANCE:
        return told + _groups(proofs)
    for source, of in grouped(proofs, lambda proof: proof.source).items():
        told += f"<h3>{escape(source)}</h3><p>{escape(counted(of))}.</p>{_groups(of)}"
    return told


def _groups(proofs: Sequence[Proof]) -> str:
    return "".join(_group(name, of) for name, of in grouped(proofs).items())


def _group(name: str, proofs: Sequence[Proof]) -> str:
    worst = state(proofs)
    opened = " open" if worst else ""
    shared = len({(proof.source, proof.why) for proof in proofs}) == 1
    told = _allowed if proofs[0].section == PERFORMANCE else _source  # the heading has the source
    source = told(proofs[0]) if shared else ""
    rows = "".join(_row(proof, sourced=not shared) for proof in proofs)
    partly = worst is not None and any(proof.verdict is None for proof in proofs)
    count = f"{len(proofs)} check{'s' if len(proofs) != 1 else ''}"
    count = counted(proofs) if worst or partly else count
    return (
        f"<details{opened}><summary>{_mark(worst)}"
        f'<span class="title">{escape(name)}</span><span class="count">{count}</span></summary>'
        f'<div class="inside">{source}{_table(rows, proofs[0].section)}</div></details>'
    )


def _source(proof: Proof) -> str:
    return f'<p class="source">Source: {escape(proof.source)}.</p>{_allowed(proof)}'


def _allowed(proof: Proof) -> str:
    label = "Reason" if proof.tolerance is None else "Allowed difference"
    return f'<p class="source">{label}: {escape(proof.why)}.</p>' if proof.why else ""


def _table(rows: str, section: str = "") -> str:
    expected = "As printed" if section == PERFORMANCE else "Expected"
    heads = ("Figure", expected, "Found", "Difference", "Allowed", "Verdict")
    cells = "".join(f"<th{_aligned(head)}>{head}</th>" for head in heads)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _aligned(head: str) -> str:
    return ' class="number"' if head in ("Difference", "Allowed") else ""


def _row(proof: Proof, *, named: bool = False, sourced: bool = True) -> str:
    name = f"{proof.group}: {proof.name}" if named else proof.name
    told = escape(name) + (_source(proof) if sourced else "")
    number = "" if proof.difference is None else f"{proof.difference:+.1e}"
    allowed = "" if proof.tolerance is None else f"{proof.tolerance:.1e}"
    return (
        f'<tr class="{_CLASSES[proof.verdict]}"><td>{told}</td>{_cell(proof.expected)}'
        f'{_cell(proof.found)}<td class="number">{number}</td>'
        f'<td class="number">{allowed}</td><td>{_mark(proof.verdict, word(proof))}</td></tr>'
    )


def _cell(text: str) -> str:
    """A number stands in one line, a sentence in several."""
    return f"<td{'' if len(text) > SHORT else ' class=short'}>{escape(text)}</td>"


def _mark(verdict: Verdict | None, words: str = "") -> str:
    told = words or ("not run" if verdict is None else verdict.words())
    return f'<span class="mark {_CLASSES[verdict]}">{mark(verdict)} {told}</span>'
