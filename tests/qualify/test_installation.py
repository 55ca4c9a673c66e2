"""The package's files against the installer's record."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from rbridge.check.verdict import Verdict
from rbridge.qualify import installation
from rbridge.r.doctor import Check, Examination


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "core").mkdir()
    (tmp_path / "__pycache__").mkdir()
    for name in ("a.py", "core/b.py", "__pycache__/a.pyc"):
        (tmp_path / name).write_text(name)
    return tmp_path


def as_pip_has_it(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


RECORD = {name: as_pip_has_it(name) for name in ("a.py", "core/b.py")}


def test_unchanged_files(package: Path) -> None:
    assert list(installation.differences(package, RECORD)) == []


def test_a_changed_a_missing_and_a_foreign_file_are_told_apart(package: Path) -> None:
    (package / "a.py").write_text("changed")
    (package / "core" / "b.py").unlink()
    (package / "c.py").write_text("")
    assert list(installation.differences(package, RECORD)) == [
        "core/b.py is missing",
        "c.py is not of the package",
        "a.py has changed",
    ]


def test_the_fingerprint_sees_contents_and_names_and_nothing_compiled(package: Path) -> None:
    before = installation.fingerprint(package)
    (package / "__pycache__" / "a.pyc").write_text("compiled again")
    assert installation.fingerprint(package) == before
    (package / "a.py").rename(package / "z.py")
    renamed = installation.fingerprint(package)
    (package / "z.py").write_text("changed")
    assert len({before, renamed, installation.fingerprint(package)}) == 3


@pytest.mark.parametrize(
    "check, verdict",
    [
        (Check("R", "4.5.0"), Verdict.AGREE),
        (Check("R", "3.6.1", False, "install another"), Verdict.DISAGREE),
        (Check("R home", "not found", False, "install it"), Verdict.UNCHECKED),
        (Check("pinned nlme", "3.1.162 (pin: 3.1.168)", False, "mend"), Verdict.DISAGREE),
        (Check("pinned R", "4.4.0 (pin: 4.5.0)", False, "mend"), Verdict.DISAGREE),
    ],
)
def test_what_doctor_says(monkeypatch: pytest.MonkeyPatch, check: Check, verdict: Verdict) -> None:
    monkeypatch.setenv("RBRIDGE_PINS", "trixie")
    monkeypatch.setattr(installation, "doctor", lambda strict: Examination((check,)))
    _, proof = installation.installation(with_r=True)
    assert proof.verdict is verdict and (verdict is Verdict.AGREE or proof.why == check.mend)


def test_the_pins_are_looked_at_only_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RBRIDGE_PINS", raising=False)
    monkeypatch.setattr(installation, "doctor", lambda strict: Examination(()))
    *_, last = installation.installation(with_r=True)
    assert last.verdict is None and "RBRIDGE_PINS" in last.why
