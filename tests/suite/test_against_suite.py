"""``crosscheck --suite X --against refs/``: a record must be of the suite's own model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rbridge.cli import main
from tests.support.places import RECORDS, SUITE

MODEL = """\
[[model]]
name = "rail-intercept"
data = "rail"
fixed = "travel ~ 1"
random = "~ 1 | rail"
"""


@pytest.fixture
def refs(tmp_path: Path) -> Path:
    folder = tmp_path / "refs"
    folder.mkdir()
    shutil.copy(RECORDS / "rail-intercept.json", folder)
    return folder


def against(refs: Path, suite: str, *more: str) -> Result:
    path = refs.parent / "models.toml"
    path.write_text(suite)
    command = ["crosscheck", "--suite", str(path), "--against", str(refs), "--no-r", *more]
    return CliRunner().invoke(main, command)


def told(result: Result) -> str:
    """What was printed, however it was wrapped."""
    return " ".join(result.output.split())


def test_a_suite_that_is_as_recorded_agrees(refs: Path) -> None:
    result = against(refs, MODEL)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "change, said",
    [
        (('"travel ~ 1"', '"log(travel) ~ 1"'), "fixed was 'travel ~ 1' and is 'log(travel) ~ 1'"),
        (('"~ 1 | rail"', '"~ 0 + 1 | rail"'), "random was"),
        (("[[model]]\n", '[[model]]\nmethod = "ML"\n'), "method was 'REML' and is 'ML'"),
        (("[[model]]\n", '[[model]]\nengine = "native"\n'), "engine was 'nlme' and is 'native'"),
        (("[[model]]\n", '[[model]]\ncategory = ["rail"]\n'), "category was [] and is ['rail']"),
        (("[[model]]\n", '[[model]]\ncontrol = { opt = "optim" }\n'), "control was {}"),
    ],
)
def test_a_changed_model_is_named(refs: Path, change: tuple[str, str], said: str) -> None:
    result = against(refs, MODEL.replace(*change))
    assert result.exit_code == 2, result.output
    assert "rail-intercept" in told(result) and said in told(result)


def test_a_deleted_record_is_named(refs: Path) -> None:
    result = against(refs, MODEL + MODEL.replace("rail-intercept", "second"))
    assert result.exit_code == 2
    assert "there is no record" in told(result) and "second.json" in told(result)


def test_a_record_without_a_model_is_named(refs: Path) -> None:
    shutil.copy(RECORDS / "corAR1-gls.json", refs)
    result = against(refs, MODEL)
    assert result.exit_code == 2 and "has no model 'corAR1-gls'" in told(result)


def test_a_record_under_another_name_is_not_taken(refs: Path) -> None:
    (refs / "rail-intercept.json").rename(refs / "other.json")
    result = against(refs, MODEL.replace("rail-intercept", "other"))
    assert result.exit_code == 2 and "name was 'rail-intercept' and is 'other'" in told(result)


def test_the_suite_decides_what_is_known(refs: Path) -> None:
    """An exception that is in the suite today, and not in the record, is held to."""
    result = against(refs, MODEL + 'expect = { C = "nothing of the kind" }\n')
    assert result.exit_code == 1 and "C was expected to say" in told(result)


def test_no_records_at_all(refs: Path) -> None:
    shutil.rmtree(refs)
    result = against(refs, MODEL)
    assert result.exit_code == 2 and "there is no record" in told(result)


def test_the_whole_recorded_suite_is_unchanged() -> None:
    from rbridge.suite.against import check_unchanged, paired
    from rbridge.suite.cases import load_suite
    from rbridge.suite.record import read_record

    items = paired(RECORDS, False, load_suite(SUITE), SUITE.name)
    assert len(items) == len(load_suite(SUITE))
    for item in items:
        check_unchanged(read_record(item.path).case, item)
