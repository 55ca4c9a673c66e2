"""Delta against observed against expected against lmeInfo: every gap measured and explained.

    delta(apVar) --A--> observed --B--> expected here --C--> expected by lmeInfo

A is the error of nlme's finite differences, B the distance between two estimators, C a test of
correctness.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.parameters import coefficient_names
from ..errors import SpecError
from ..fit.components import Fit
from ..fit.vcov import with_names
from ..show.cells import Part
from ..show.github import annotation
from ..show.junit import JUnitCase, State, class_name, junit
from ..show.report import Report, Reported
from . import gaps
from .answers import Answers, Reference, gather
from .distance import aligned
from .findings import ANNOTATED, FAILURE, UNCHECKED, WARNING, Finding, lines
from .tolerances import CHECK
from .verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAPS = {"A": ("delta", "observed"), "B": ("observed", "expected"), "C": ("expected", "lmeInfo")}


@dataclass(frozen=True)
class Crosscheck(Reported):
    """The result of a cross-check.

    Attributes
    ----------
    title : str
        The model.
    table : DataFrame
        One row a parameter: ``estimate``, the standard error by each method that gave one
        (``delta``, ``observed``, ``average``, ``expected``, ``lmeInfo``), and the gaps ``A``,
        ``B``, ``C`` as relative differences of standard errors. A method without an answer has
        no column; ``findings`` says why.
    findings : tuple of Finding
    provenance : mapping of str to str
    coefficients : mapping of str to str
        nlme's names of the coefficients that a label only numbers; shown beside the label.
    seconds : float
        What the checking took, without the fit.
    """

    title: str
    table: pd.DataFrame
    findings: tuple[Finding, ...]
    provenance: Mapping[str, str]
    coefficients: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def code(self) -> Verdict:
        """0 the numbers agree, 1 they disagree, 2 they could not be checked."""
        return Verdict.of(self.findings)

    @property
    def passed(self) -> bool:
        """The numbers were compared and agree."""
        return self.code == Verdict.AGREE

    @property
    def failed(self) -> bool:
        """A finding is a failure: numbers disagree."""
        return self.code == Verdict.DISAGREE

    @property
    def checked(self) -> bool:
        """False where something that could have been compared was not there."""
        return not any(finding.level == UNCHECKED for finding in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence: agree, agree with a doubt, disagree, or could not be checked."""
        if self.code != Verdict.AGREE:
            return _SENTENCES[self.code]
        if any(finding.level == WARNING for finding in self.findings):
            return "The numbers agree, but for what is marked '!': see fit.diagnose() too."
        if self.finding("C").size is None:
            return "The numbers agree, as far as they can be compared without lmeInfo."
        return "The numbers agree."

    def headline(self) -> str:
        """The model and the verdict in one line."""
        return f"{self.code.mark} {self.title}: {self.verdict.rstrip('.')}"

    def annotations(self) -> str:
        """What is wrong, and what is to be looked at, as GitHub's workflow commands."""
        order = [f for level in ANNOTATED for f in self.findings if f.level == level]
        told = [annotation(ANNOTATED[f.level], f.text, f"{f.code}: {self.title}") for f in order]
        return "\n".join(told)

    def finding(self, code: str) -> Finding:
        """The finding of that code.

        Raises
        ------
        SpecError
            There is none.
        """
        for finding in self.findings:
            if finding.code == code:
                return finding
        raise SpecError(f"there is no finding {code!r} (have {[f.code for f in self.findings]})")

    def to_json(self) -> str:
        """Everything, as JSON."""
        table = {column: self.table[column].to_dict() for column in self.table}
        content = {
            "model": self.title,
            "passed": self.passed,
            "checked": self.checked,
            "verdict": self.verdict,
            "findings": [vars(finding) for finding in self.findings],
            "table": table,
            "provenance": dict(self.provenance),
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_junit(self) -> str:
        """JUnit XML: one test case a finding; versions and verdict are the suite's properties."""
        group = class_name("rbridge", self.title)
        cases = [_junit_case(finding, group) for finding in self.findings]
        properties = {"model": self.title, "verdict": self.verdict, **self.provenance}
        return junit(self.title, cases, seconds=self.seconds, properties=properties)

    def plot(self, *, figsize: Any = None) -> Figure:
        """The gaps on a log axis with their tolerances."""
        from ..show.gaps import crosscheck_gaps

        compared = {gap: (f"{a} − {b}", CHECK[gap].value) for gap, (a, b) in GAPS.items()}
        table = with_names(self.table, self.coefficients)
        return crosscheck_gaps(table, compared, f"cross-check of {self.title}", figsize)

    def _report(self) -> Report:
        present = [gap for gap in GAPS if gap in self.table]
        named = with_names(self.table, self.coefficients)
        table = named.drop(columns=present)
        sizes = pd.DataFrame({gap: named[gap].map("{:+.1e}".format) for gap in present})
        parts: list[tuple[str, Part]] = [("Standard errors by method", table)]
        if present:
            parts.append(("Relative gaps of the standard errors", sizes))
        parts.append(("Findings", f"{lines(self.findings)}\n{self.verdict}"))
        return Report(f"Cross-check: {self.title}", parts)


_STATES: dict[str, State] = {FAILURE: "failure", UNCHECKED: "error"}
_SENTENCES = {
    Verdict.DISAGREE: "THE NUMBERS DISAGREE.",
    Verdict.UNCHECKED: "The numbers could not be checked.",
}


def _junit_case(finding: Finding, group: str) -> JUnitCase:
    told = lines([finding])
    state = _STATES.get(finding.level, "skipped" if finding.size is None else "passed")
    if state == "passed":
        return JUnitCase(finding.code, state, output=told, classname=group)
    return JUnitCase(finding.code, state, finding.text, told, classname=group)


def crosscheck(
    fit: Fit, reference: Reference | None = None, *, lmeinfo: bool | None = None
) -> Crosscheck:
    """Compare every estimate of the components' covariance that can be had.

    Parameters
    ----------
    fit : Fit
    reference : Reference, optional
        Recorded answers of lmeInfo, in place of ``fit.lmeinfo``.
    lmeinfo : bool, optional
        Whether to ask ``fit.lmeinfo``; by default up to 20 000 rows.
    """
    start = time.perf_counter()
    answers = gather(fit, reference, lmeinfo)
    findings = (
        *gaps.convergence(fit),
        gaps.log_likelihood(fit),
        gaps.optimum(fit),
        *(gap(answers) for gap in (gaps.gap_a, gaps.gap_b, gaps.gap_c)),
        *gaps.rest_of_lmeinfo(answers),
    )
    called = coefficient_names(fit.snapshot)
    seconds = time.perf_counter() - start
    return Crosscheck(_title(fit), _table(answers), findings, fit.provenance, called, seconds)


def _title(fit: Fit) -> str:
    spec = fit.spec
    random = (f"{getattr(term, 'form', term.r_class)} | {group}" for group, term in spec.random)
    within = (s.r_class for s in (spec.correlation, spec.weights) if s is not None)
    return "; ".join([spec.fixed, *random, *within, spec.method])


def _table(answers: Answers) -> pd.DataFrame:
    table = pd.DataFrame({"estimate": answers.fit.varcomp})
    for name, result in answers.found.items():
        table[name] = aligned(result.se, table.index)
    for gap, (one, other) in GAPS.items():
        if one in table and other in table:
            table[gap] = table[one] / table[other] - 1
    return table
