"""Many data sets fitted together here, against nlme pinned on each alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.many import models, separate

N = 13  # data sets


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Sets of different sizes; the same labels of subjects in each, rows in no order.

    Sets 3, 4 and 6 to 9 need care: a constant x, one subject, a gap, a dose of zero, no arm "c",
    no row at all; the subjects of set 5 have no variance.
    """
    rng = np.random.default_rng(7)
    sizes = rng.integers(5, 9, N)
    of_set = np.repeat(np.arange(N), sizes * 5)
    subject = np.concatenate([np.arange(5 * m) // 5 for m in sizes])
    each = np.cumsum(np.diff(subject, prepend=-1) != 0) - 1
    b = rng.normal(size=(each[-1] + 1, 2)) * [1.0, 0.4]
    x = np.tile(np.arange(5), len(of_set) // 5)
    y = 1 + b[each, 0] + (0.5 + b[each, 1]) * x + 0.4 * rng.normal(size=len(x))
    arm = pd.Categorical(np.array(["c", "a", "b"])[subject % 3], ["c", "unused", "a", "b"])
    frame = pd.DataFrame({"set": of_set, "subject": subject, "x": x, "y": y, "arm": arm})
    frame["dose"] = frame.x + 1.0
    care = frame.set
    frame.loc[care == 3, "x"] = 2
    frame.loc[care == 4, "subject"] = 0
    frame.loc[care == 5, "y"] = rng.normal(size=(care == 5).sum())
    frame.loc[(care == 6) & (frame.x == 1), "y"] = np.nan
    frame.loc[(care == 7) & (frame.x == 0), "dose"] = 0
    frame = frame[(care != 8) | (frame.arm != "c")]
    frame.loc[frame.set == 9, "y"] = np.nan
    return frame.sample(frac=1, random_state=3)


MODELS: list[dict[str, Any]] = [
    dict(model="y ~ x", random="~ 1 | subject"),
    dict(model="y ~ x * arm", random="~ x | subject", contrasts={"arm": "contr.sum"}),
    dict(model="exp(y / 9) ~ log(dose) + I(dose^2)", random="~ 1 | subject", method="ML"),
    dict(model="y ~ x", random={"subject": rb.pdDiag("~ x")}),
]


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many data sets each call fitted together."""
    counts: list[int] = []

    def counted(*args: Any) -> Any:
        found = separate.fitted_apart(*args)
        counts.append(len(found))
        return found

    monkeypatch.setattr(models, "fitted_apart", counted)
    return counts


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["model"])
def test_the_table_is_nlmes(data: pd.DataFrame, model: dict[str, Any], together: list[int]) -> None:
    asked = dict(**model, data=data, by="set", progress=False)
    ours, theirs = (rb.lme_many(**asked, engine=engine) for engine in ("native", "pinned"))
    assert together == [pytest.approx(N - 4, abs=2)]
    assert ours["set"].tolist() == theirs["set"].tolist() == list(range(N))
    assert (ours.reason == theirs.reason).all() and 2 <= (ours.reason != "").sum() <= 4
    fitted = ours.reason == ""
    assert (ours.nobs == theirs.nobs)[fitted].all()
    assert (ours.llf > theirs.llf - 1e-7)[fitted].all()
    np.testing.assert_allclose(ours.llf[fitted], theirs.llf[fitted], rtol=0, atol=1e-6)
    for name in (name for name in ours if name.startswith("fixed.")):
        gap = ((ours[name] - theirs[name]) / theirs[f"se.{name}"])[fitted]
        assert gap.abs().max() < 1e-4, name
        np.testing.assert_allclose(
            ours[f"se.{name}"][fitted], theirs[f"se.{name}"][fitted], rtol=1e-4
        )


@pytest.mark.parametrize(
    "formula", ["y ~ poly(x, 2)", "y ~ scale(x)", "y ~ I(x > 1)", "y ~ cut(x, 2)"]
)
def test_what_depends_on_other_rows_is_computed_in_each(
    data: pd.DataFrame, formula: str, together: list[int]
) -> None:
    some = data[data.set.isin([10, 11])]
    table = rb.lme_many(formula, some, "~ 1 | subject", by="set", engine="native", progress=False)
    assert sum(together) == 0
    alone = rb.lme(formula, some[some.set == 11], "~ 1 | subject")
    ours = table.filter(regex=r"^fixed\.").iloc[1]
    np.testing.assert_allclose(ours, alone.params, rtol=1e-5)


def test_the_company_of_others_changes_nothing(data: pd.DataFrame) -> None:
    asked: Any = dict(model="y ~ x", random="~ x | subject", by="set", engine="native")
    tables = [
        rb.lme_many(data=some, **asked, progress=False).set_index("set")
        for some in (data, data[data.set == 11], data[data.set == 2])
    ]
    alone = pd.concat(tables[:0:-1])
    both = tables[0].loc[[2, 11]]
    pd.testing.assert_frame_equal(both, alone, rtol=1e-7, check_names=False, check_dtype=False)
