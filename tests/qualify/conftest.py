"""The shipped figures, a few of them, and the proof of all without R."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbridge.qualify.figures import PublishedFigures, load_figures
from rbridge.qualify.run import Qualification, qualify


@pytest.fixture(scope="session")
def figures() -> PublishedFigures:
    return load_figures()


@pytest.fixture(scope="session")
def few(figures: PublishedFigures) -> PublishedFigures:
    """Every fit, three tables."""
    return replace(figures, tables=figures.tables[:3])


@pytest.fixture(scope="session")
def doctored(few: PublishedFigures) -> PublishedFigures:
    """The first figure with another last digit but one."""
    table = few.tables[0]
    first = replace(table.figures[0], printed="-61.079")
    changed = replace(table, figures=(first, *table.figures[1:]))
    return replace(few, tables=(changed, *few.tables[1:]))


@pytest.fixture(scope="session")
def without_r() -> Qualification:
    return qualify(with_r=False)
