"""When, and of which commit, a suite was checked: what a reader of its report asks first."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from ..r.versions import installed

COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION", "GIT_COMMIT")  # as CI names it


def circumstances(folder: Path) -> dict[str, str]:
    """Date, commit, machine and rbridge; ``folder`` lies in the repository."""
    found = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(folder),
        "machine": f"{platform.node()}, {platform.platform()}",
        "rbridge": installed("rbridge"),
    }
    return {name: text for name, text in found.items() if text}


def commit(folder: Path) -> str:
    """The commit as CI or git has it; empty where neither knows."""
    for name in COMMITS:
        if told := os.environ.get(name):
            return told
    found = _git(folder, "rev-parse", "HEAD")
    changed = found and _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{found}, with changes that are not committed" if changed else found


def _git(folder: Path, *command: str) -> str:
    """What git says; empty where it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *command],
            capture_output=True,
            text=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
