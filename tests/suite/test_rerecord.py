"""``record`` where there are records: what would change is shown, and only --yes overwrites."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rbridge.cli import main
from rbridge.results import LmeResults
from rbridge.suite import record as record_module
from rbridge.suite import rerecord as module
from rbridge.suite.json_text import dumps
from rbridge.suite.record import read_record
from tests.support.places import RECORDS

NAME = "rail-intercept"
MODEL = f'[[model]]\nname = "{NAME}"\ndata = "rail"\nfixed = "travel ~ 1"\nrandom = "~ 1 | rail"\n'


@pytest.fixture
def refs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one record; R says today what it said then."""
    folder = tmp_path / "refs"
    folder.mkdir()
    shutil.copy(RECORDS / f"{NAME}.json", folder)
    old = read_record(folder / f"{NAME}.json")
    for place in (module, record_module):
        monkeypatch.setattr(place, "fit_case", lambda case: LmeResults(old.snapshot))
        monkeypatch.setattr(place, "answers", lambda fit: dict(old.answers))
    return folder


def edit(refs: Path, change: Any) -> None:
    path = refs / f"{NAME}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(dumps(content))


def record(refs: Path, *more: str, suite: str = MODEL) -> Result:
    path = refs.parent / "models.toml"
    path.write_text(suite)
    return CliRunner().invoke(main, ["record", "--suite", str(path), "-o", str(refs), *more])


def doubled(content: Any) -> None:
    content["answers"]["fixef"]["values"] = [133.0]


def told(result: Result) -> str:
    """What was printed, however it was wrapped."""
    return " ".join(result.output.split())


def test_a_record_that_says_the_same_is_left(refs: Path) -> None:
    before = (refs / f"{NAME}.json").read_bytes()
    assert record(refs).exit_code == 0 and (refs / f"{NAME}.json").read_bytes() == before


def test_a_record_that_would_change_is_shown_and_left(refs: Path) -> None:
    edit(refs, doubled)
    before = (refs / f"{NAME}.json").read_bytes()
    result = record(refs)
    assert result.exit_code == 2 and (refs / f"{NAME}.json").read_bytes() == before
    assert "--yes overwrites it" in told(result)
    assert "(Intercept): recorded 133, today 66.5 (6.5 standard errors)" in told(result)


def test_yes_overwrites_and_says_what_changed(refs: Path) -> None:
    edit(refs, doubled)
    result = record(refs, "--yes")
    assert result.exit_code == 0 and "recorded 133, today 66.5" in told(result)
    assert json.loads((refs / f"{NAME}.json").read_text())["answers"]["fixef"]["values"] != [133.0]


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda c: c["data"].update(sha256="0"), "rail has changed since the record"),
        (lambda c: c.update(format=99), "not a record of format"),
        (
            lambda c: c["snapshot"]["fields"]["provenance"]["mapping"].update(R="3.0.0"),
            "R 3.0.0 → ",
        ),
    ],
)
def test_other_changes_are_named(refs: Path, change: Any, said: str) -> None:
    edit(refs, change)
    result = record(refs)
    assert result.exit_code == 2 and said in told(result)


def test_a_changed_model_is_named(refs: Path) -> None:
    result = record(refs, suite=MODEL.replace("travel ~ 1", "log(travel) ~ 1"))
    assert result.exit_code == 2
    assert "fixed was 'travel ~ 1' and is 'log(travel) ~ 1'" in told(result)


def test_a_new_record_says_what_the_data_are(refs: Path) -> None:
    (refs / f"{NAME}.json").unlink()
    assert record(refs).exit_code == 0
    print = json.loads((refs / f"{NAME}.json").read_text())["data"]["print"]
    assert print["rows"] == 18 and set(print["columns"]) == {"rail", "travel"}


def test_a_model_over_its_limit_is_named_and_its_record_left(
    refs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (refs / f"{NAME}.json").read_bytes()
    monkeypatch.setattr(module, "fit_case", lambda case: time.sleep(60))
    result = record(refs, "--yes", "--timeout", "0.1")
    assert result.exit_code == 2 and f"{NAME}: the model took longer than its 0.1 s" in told(result)
    assert (refs / f"{NAME}.json").read_bytes() == before
