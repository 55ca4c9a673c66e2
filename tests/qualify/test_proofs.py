"""What is proved without R; and that each kind of proof can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import rbridge as rb
from rbridge.check.verdict import Verdict
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import RNotFoundError
from rbridge.qualify.figures import PublishedFigures, PublishedFit
from rbridge.qualify.fits import FitStore, recorded
from rbridge.qualify.operation import operation
from rbridge.qualify.performance import performance
from rbridge.qualify.proof import compared
from rbridge.qualify.run import Qualification, qualify

Change = Callable[[FitSnapshot], FitSnapshot]


def test_everything_agrees_without_r(without_r: Qualification) -> None:
    assert [proof for proof in without_r.proofs if proof.verdict] == []
    assert without_r.code is Verdict.AGREE
    assert len(without_r.of("performance")) >= 500
    assert all(proof.verdict is Verdict.AGREE for proof in without_r.of("performance"))


def test_what_needs_r_is_named_as_not_run(without_r: Qualification) -> None:
    left_out = {proof.group for proof in without_r.proofs if proof.verdict is None}
    assert {"R alive", "lmeInfo", "Versions"} <= left_out
    assert all(proof.why for proof in without_r.proofs if proof.verdict is None)


def test_a_doctored_figure_disagrees(doctored: PublishedFigures) -> None:
    found = qualify(with_r=False, figures=doctored)
    (wrong,) = (proof for proof in found.proofs if proof.verdict)
    assert found.code is wrong.verdict is Verdict.DISAGREE
    assert wrong.expected == "-61.079" and wrong.found.startswith("-61.08850")


def changed(name: str, change: Change) -> Callable[[PublishedFit], rb.LmeResults]:
    """The shipped fits, one of them with other numbers."""

    def made(fit: PublishedFit) -> rb.LmeResults:
        found = recorded(fit)
        return rb.LmeResults(change(found.snapshot)) if fit.name == name else found

    return made


def scaled(snapshot: FitSnapshot) -> FitSnapshot:
    """The variance between the groups a hundredth larger."""
    (level,) = snapshot.levels
    return replace(snapshot, levels=(replace(level, D=1.01 * level.D),))


@pytest.mark.parametrize(
    "name, change, said",
    [
        ("serial", lambda fit: replace(fit, sigma=9.4), {"log-likelihood"}),
        ("orthodont-slopes", lambda fit: replace(fit, log_lik=-221.319), {"log-likelihood"}),
        ("rail", scaled, {"variance between rails"}),
    ],
)
def test_a_wrong_fit_is_found_by_the_second_methods(
    figures: PublishedFigures, name: str, change: Change, said: set[str]
) -> None:
    store = FitStore(figures, changed(name, change))
    wrong = {proof.name for proof in operation(store, False) if proof.verdict}
    assert wrong == said


def test_a_wrong_derivative_is_found_by_the_second_methods(
    figures: PublishedFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = rb.LmeResults.fisher_info
    monkeypatch.setattr(
        rb.LmeResults, "fisher_info", lambda fit, kind: (1 + 1e-6) * right(fit, kind)
    )
    wrong = [p.name for p in operation(FitStore(figures, recorded), False) if p.verdict]
    assert wrong == ["expected information", "observed information"] * 2


def test_a_wrong_fit_is_found_by_the_published_figures(few: PublishedFigures) -> None:
    store = FitStore(few, changed("rail", lambda fit: replace(fit, sigma=4.03)))
    wrong = {proof.name for proof in performance(store) if proof.verdict is Verdict.DISAGREE}
    assert "residual standard deviation" in wrong


def test_without_r_nothing_is_asked_twice(few: PublishedFigures) -> None:
    asked = []

    def none(fit: PublishedFit) -> rb.LmeResults:
        asked.append(fit.name)
        raise RNotFoundError("no R here")

    proofs = list(performance(FitStore(few, none)))
    assert {proof.verdict for proof in proofs} == {Verdict.UNCHECKED}
    assert {proof.why for proof in proofs} == {"no R here"} and len(asked) == 1


def test_a_bug_costs_its_own_table(few: PublishedFigures) -> None:
    broken = replace(few.tables[1], figures=(replace(few.tables[1].figures[0], where=("no",)),))
    proofs = list(performance(FitStore(replace(few, tables=(broken, few.tables[0])), recorded)))
    assert [proof.verdict for proof in proofs] == [Verdict.UNCHECKED] + [Verdict.AGREE] * 4
    assert "TypeError" in proofs[0].why


def test_where_sas_stops_early_it_is_sas(without_r: Qualification) -> None:
    """The restricted likelihood is nowhere lower here than SAS prints it."""
    ratios = [
        (float(proof.found), float(proof.expected))
        for proof in without_r.of("performance")
        if "SAS PROC MIXED" in proof.source and proof.name == "-2 log-likelihood"
    ]
    assert len(ratios) >= 8 and all(ours <= theirs + 1e-8 for ours, theirs in ratios)


@pytest.mark.parametrize("found", [float("nan"), float("inf"), 1.0011])
def test_no_number_is_no_agreement(without_r: Qualification, found: float) -> None:
    assert compared(without_r.proofs[-1], found, 1.0, 1e-3).verdict is Verdict.DISAGREE
