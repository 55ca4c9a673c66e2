"""A qualification in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..check.verdict import Verdict
from .proof import Proof
from .run import Qualification

NAMED = 4  # of the checks that one reason keeps from being run
VERDICTS: dict[Verdict, str] = {
    Verdict.AGREE: "QUALIFIED",
    Verdict.DISAGREE: "NOT QUALIFIED",
    Verdict.UNCHECKED: "NOT FULLY CHECKED",
}


def word(proof: Proof) -> str:
    """``agrees``, ``disagrees``, ``could not be checked``, ``not run``."""
    return "not run" if proof.verdict is None else proof.verdict.words()


def headline(qualification: Qualification) -> str:
    """The verdict in one line."""
    proofs, code = qualification.proofs, qualification.code
    without = "" if qualification.with_r else " without R (what needs a running R was not run)"
    seconds = qualification.seconds
    took = "" if seconds is None else f", in {seconds:.0f} s"
    return f"{VERDICTS[code]}{without}: {counted(proofs)}{took}"


def counted(proofs: Sequence[Proof]) -> str:
    """``9 checks: 8 agree, 1 disagrees``."""
    parts = []
    for verdict in Verdict:
        n = sum(proof.verdict == verdict for proof in proofs)
        parts += [f"{n} {verdict.words(n)}"] if n else []
    n = sum(proof.verdict is None for proof in proofs)
    parts += [f"{n} not run"] if n else []
    return f"{len(proofs)} check{'s' if len(proofs) != 1 else ''}: {', '.join(parts)}"


def grouped(
    proofs: Iterable[Proof], by: Callable[[Proof], str] = lambda proof: proof.group
) -> dict[str, list[Proof]]:
    """The proofs by their group, in order of appearance."""
    groups: dict[str, list[Proof]] = {}
    for proof in proofs:
        groups.setdefault(by(proof), []).append(proof)
    return groups


def state(proofs: Iterable[Proof]) -> Verdict | None:
    """The worst of what was run; None where nothing was."""
    asked = [proof.verdict for proof in proofs if proof.verdict is not None]
    return Verdict.worst(asked) if asked else None


def mark(verdict: Verdict | None) -> str:
    """One character: ✓, ✗, ? or –."""
    return "–" if verdict is None else verdict.mark


def reasons(proofs: Iterable[Proof], verdict: Verdict | None) -> list[str]:
    """Of what has no answer (not run, or not to be checked): each reason, and for what it holds."""
    without = [proof for proof in proofs if proof.verdict == verdict]
    return [
        f"{_listed([f'{proof.group} ({proof.name})' for proof in of])}: {why}"
        for why, of in grouped(without, lambda proof: proof.why).items()
    ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
