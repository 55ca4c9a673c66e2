"""gls of unsorted rows against R's gls of the same rows: nested groups stand as they appear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from tests.support.bridging import ask

R_FIT = """
d <- utils::read.csv("{path}", colClasses = c(subject = "character", sex = "character"))
{ordered}
m <- nlme::gls(distance ~ age, d, nlme::{cor}, nlme::varIdent(form = ~ 1 | sex))
s <- m$modelStruct$varStruct
r <- attr(s, "groupNames")[1]
list(sigma = m$sigma, weights = coef(s, unconstrained = FALSE), reference = r)
"""


def _rows(orthodont: pd.DataFrame, seed: int) -> pd.DataFrame:
    texts = orthodont.assign(subject=orthodont.subject.astype(str), sex=orthodont.sex.astype(str))
    mixed = texts.sample(frac=1, random_state=seed).reset_index(drop=True)
    return mixed.assign(g2=np.where(mixed.age > 10, "u", "v"))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("groups", ["subject/g2", "g2/subject", "subject"])
@pytest.mark.parametrize("is_ordered", [False, True])
def test_the_reference_stratum_is_rs(
    seed: int, groups: str, is_ordered: bool, orthodont: pd.DataFrame, tmp_path: Any
) -> None:
    data = _rows(orthodont, seed)
    data.to_csv(tmp_path / "d.csv", index=False)
    outer, ordered = groups.split("/")[0], ""
    if is_ordered:
        levels = sorted(set(data[outer]), key=lambda v: (len(v), v))
        data[outer] = pd.Categorical(data[outer], categories=levels, ordered=True)
        ordered = f"d${outer} <- ordered(d${outer}, c({', '.join(map(repr, levels))}))"
    cor = f"corCompSymm(form = ~ 1 | {groups})"
    theirs = ask(R_FIT.format(path=tmp_path / "d.csv", cor=cor, ordered=ordered))
    ours = rb.gls("distance ~ age", data, correlation=cor, weights="varIdent(form = ~ 1 | sex)")
    assert ours.snapshot.var[0].strata[0] == theirs["reference"][0]
    assert ours.sigma == pytest.approx(theirs["sigma"][0], rel=1e-4)
    assert ours.snapshot.var[0].values[-1] == pytest.approx(theirs["weights"][0], rel=1e-4)
