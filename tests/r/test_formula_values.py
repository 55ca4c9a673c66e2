"""What a formula computes is what R computes: levels, numbers of texts, strings, vectors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, FormulaError
from tests.support.bridging import ask

LEVELS = """
import numpy as np, pandas as pd, rbridge as rb
x = np.linspace(-1, 1, 40)
data = pd.DataFrame({"x": x, "g": np.arange(40) % 8, "y": x + np.sin(np.arange(40.0))})
formula = "y ~ ifelse(x > 0, 'B', 'a')"
fits = rb.lme(formula, data, "~ 1 | g"), rb.gls(formula, data)
print([name for fit in fits for name in fit.params.index])
"""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "en_US.UTF-8"])
def test_levels_made_by_a_formula_stand_by_code_point_in_every_locale(locale: str) -> None:
    env = {"LC_ALL": locale, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    run = subprocess.run([sys.executable, "-c", LEVELS], env=env, capture_output=True, text=True)
    made = 'ifelse(x > 0, "B", "a")a'  # "B" is before "a", and the reference
    assert run.stdout.strip() == str(["(Intercept)", made] * 2), run.stderr


def _data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"dose": rng.choice(["1", "2", "10"], 60), "x": rng.normal(size=60)})
    data["h"] = pd.Categorical(rng.choice(["a", "c"], 60), categories=["a", "b", "c"])
    return data.assign(y=rng.normal(size=60))


@pytest.mark.parametrize(
    "term", ["as.numeric(dose)", "as.integer(I(dose))", "ifelse(x > 0, dose, 'none')", "c(dose)"]
)
def test_text_is_not_fitted_as_codes_of_its_sorted_values(term: str) -> None:
    with pytest.raises(DataError, match="'dose' holds text.*to_numeric"):
        rb.gls(f"y ~ {term}", _data())


def test_categories_that_no_row_has_count_in_rs_codes() -> None:
    with pytest.raises(DataError, match="'h' is read as codes.*remove_unused"):
        rb.gls("y ~ as.numeric(h)", _data())


@pytest.mark.parametrize("term", ["factor(dose)", "I(dose == '10')", "as.numeric(factor(h))"])
def test_text_and_categories_by_their_labels_are_taken(term: str) -> None:
    assert len(rb.gls(f"y ~ {term}", _data()).params) >= 2


@pytest.mark.parametrize("written", [r"a\nb", r"\u00e9", r"\x41\102", r"\U{1F600}", r"q\"\\"])
def test_escapes_in_strings_are_read_as_r_reads_them(written: str, r: Any) -> None:
    fit = rb.gls(f'y ~ I(t == "{written}")', _text_data(r, written))
    assert list(fit.params.index)[1].startswith("I(t ==")


def _text_data(r: Any, written: str) -> pd.DataFrame:
    read = ask(f"parse(text = {_r_text(written)})[[1L]]")
    return _data().assign(t=np.where(np.arange(60) % 2, str(np.atleast_1d(read)[0]), "other"))


def _r_text(written: str) -> str:
    inside = '"' + written + '"'
    return "'" + inside.replace("\\", "\\\\") + "'"


@pytest.mark.parametrize("written", [r"\d", r"\0", r"\u", r"\xff"])
def test_what_is_no_escape_is_refused(written: str) -> None:
    with pytest.raises(FormulaError, match="no escape|no character"):
        rb.gls(f'y ~ I(dose == "{written}")', _data())


@pytest.mark.parametrize("term", ["I(x * c(1, 2))", "pmin(x, c(0, 1))", "I(x + 1:2)", "c(1, 2)"])
def test_a_vector_that_r_would_repeat_over_the_rows_is_refused(term: str) -> None:
    with pytest.raises(FormulaError, match="one value for every row"):
        rb.gls(f"y ~ {term}", _data())


def test_vectors_stand_where_a_function_takes_them() -> None:
    terms = "cut(x, c(-9, 0, 9)) + I(dose %in% c('1', '2'))"
    assert len(rb.gls(f"y ~ {terms}", _data()).params) == 3
