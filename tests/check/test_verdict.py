"""Agree, disagree, unchecked: what findings come to, and what outweighs what."""

from __future__ import annotations

from itertools import permutations

import pytest

from rbridge.check.findings import FAILURE, NOTE, OK, UNCHECKED, WARNING, Finding
from rbridge.check.verdict import Verdict


def of(*levels: str) -> Verdict:
    return Verdict.of(Finding(level, level, None, level) for level in levels)


def test_one_failure_outweighs_everything() -> None:
    for levels in permutations([OK, NOTE, UNCHECKED, FAILURE]):
        assert of(*levels) is Verdict.DISAGREE


def test_what_was_not_looked_at_leaves_it_open() -> None:
    assert of(OK, WARNING, UNCHECKED) is Verdict.UNCHECKED
    assert of(OK, NOTE, WARNING) is of() is Verdict.AGREE


@pytest.mark.parametrize("verdict, status", [("AGREE", 0), ("DISAGREE", 1), ("UNCHECKED", 2)])
def test_the_number_is_the_exit_status(verdict: str, status: int) -> None:
    assert Verdict[verdict] == status


def test_the_worst_of_several_models() -> None:
    assert Verdict.worst([Verdict.UNCHECKED, Verdict.DISAGREE]) is Verdict.DISAGREE
    assert Verdict.worst([Verdict.AGREE, Verdict.UNCHECKED]) is Verdict.UNCHECKED


def test_words_and_marks() -> None:
    assert [v.words() for v in Verdict] == ["agrees", "disagrees", "could not be checked"]
    assert [v.words(2) for v in Verdict] == ["agree", "disagree", "could not be checked"]
    assert [v.mark for v in Verdict] == ["✓", "✗", "?"]
