"""The data sets against what R says of them.

Expected numbers: R 4.2.2, nlme 3.1-162, for each set
`d <- as.data.frame(get(name)); c(dim(d), format(mean(d[[response]], na.rm = TRUE), digits = 15))`.
"""

from __future__ import annotations

import pandas as pd
import pytest

from rbridge import datasets
from rbridge.errors import DataError

FROM_R = {
    "orthodont": (108, 4, "distance", 24.0231481481481),
    "oats": (72, 4, "yield", 103.972222222222),
    "pixel": (102, 4, "pixel", 1086.87156862745),
    "machines": (54, 3, "score", 59.65),
    "ovary": (308, 3, "follicles", 12.0357142857143),
    "bodyweight": (176, 4, "weight", 384.482954545455),
    "dialyzer": (140, 5, "rate", 37.3975714285714),
    "wheat2": (224, 5, "yield", 25.5270089285714),
    "alfalfa": (72, 4, "yield", 1.59680555555556),
    "assay": (60, 4, "logdens", 0.272999014833333),
    "oxide": (72, 5, "thickness", 2000.15277777778),
    "rail": (18, 2, "travel", 66.5),
    "earthquake": (182, 5, "accel", 0.15421978021978),
    "ergostool": (36, 3, "effort", 10.25),
    "glucose": (378, 4, "conc", 5.51085106382979),
    "gun": (36, 4, "rounds", 19.3333333333333),
}
SUBJECTS = """M16 M05 M02 M11 M07 M08 M03 M12 M13 M14 M09 M15 M06 M04 M01 M10
    F10 F09 F06 F01 F05 F07 F02 F08 F03 F04 F11""".split()


@pytest.mark.parametrize("name", FROM_R)
def test_shape_and_mean_are_those_of_r(name: str) -> None:
    rows, columns, response, mean = FROM_R[name]
    data = datasets.load(name)
    assert data.shape == (rows, columns)
    assert data[response].mean() == pytest.approx(mean, rel=1e-14)


@pytest.mark.parametrize("name", datasets.names())
def test_the_frame_is_as_described(name: str) -> None:
    data, about = datasets.load(name), datasets.describe(name)
    assert list(data) == list(about["columns"])
    assert len(data) == about["rows"]
    assert about["title"] and about["source"] and about["nlme"]
    for column, kind in about["columns"].items():
        assert column == column.lower()
        if kind["kind"] == "number":
            assert pd.api.types.is_numeric_dtype(data[column])
        else:
            assert list(data[column].cat.categories) == kind["levels"]
            assert data[column].notna().all()


def test_orthodont_by_sex_and_level_order() -> None:
    data = datasets.load("Orthodont")
    assert list(data) == ["distance", "age", "subject", "sex"]
    means = data.groupby("sex", observed=True)["distance"].mean()
    assert means.to_dict() == pytest.approx({"Male": 24.96875, "Female": 22.6477272727273})
    assert list(data["subject"].cat.categories) == SUBJECTS
    assert not data["subject"].cat.ordered


def test_only_truly_ordered_factors_are_ordered() -> None:
    physique = datasets.load("gun")["physique"].cat
    assert physique.ordered and list(physique.categories) == ["Slight", "Average", "Heavy"]
    assert not datasets.load("gun")["team"].cat.ordered


def test_none_is_a_level_of_alfalfa_not_a_gap() -> None:
    assert (datasets.load("alfalfa")["date"] == "None").sum() == 18


def test_each_load_is_a_fresh_frame() -> None:
    changed = datasets.load("rail")
    changed.loc[0, "travel"] = -1
    datasets.describe("rail")["columns"].clear()
    assert datasets.load("rail")["travel"].min() > 0


def test_unknown_name_lists_the_names_and_the_nearest() -> None:
    with pytest.raises(DataError, match="Did you mean 'orthodont'.*machines"):
        datasets.load("orthodnt")
