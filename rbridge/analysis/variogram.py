"""The variogram of residuals within groups, nlme's ``Variogram``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.arrays import Array
from ..core.variogram import DistanceClasses
from ..core.variogram import variogram as sample_variogram
from ..errors import SpecError
from ..fit.components import Fit
from ..model.structures import METRICS
from ..options import one_of
from ..show.result_frame import ResultFrame
from .acf import row_order
from .given import form_columns, given, group_codes, innermost, numbers, residuals_in_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPATIAL = ("corExp", "corGaus", "corLin", "corRatio", "corSpher")


class Variogram(ResultFrame):
    """Columns ``dist variogram n_pairs``; ``attrs["caption"]`` says of what and within what."""

    @property
    def _constructor(self) -> Any:
        return ResultFrame

    def plot(self, *, ax: Any = None, figsize: Any = None) -> Figure:
        """Semivariances against distance, the areas of the points as the numbers of pairs."""
        from ..show.serial import variogram_picture

        level = 1.0 if self.attrs["residuals"] != "response" else None
        table = pd.DataFrame(self)
        return variogram_picture(
            table, self.attrs["distance"], level, self.attrs["caption"], ax, figsize
        )


def variogram(
    fit: Fit,
    form: str | None = None,
    residuals: str = "pearson",
    max_dist: float | None = None,
    robust: bool = False,
    *,
    metric: str | None = None,
    data: pd.DataFrame | None = None,
) -> Variogram:
    """Semivariances of the residuals within groups, by distance.

    Parameters
    ----------
    fit : Fit
    form : str, optional
        ``"~ time"``, ``"~ x + y"``, ``"~ x + y | site"``: columns between which distances are
        taken, and groups. By default those of the fit's spatial correlation structure; without
        one, distances count rows within the innermost groups.
    residuals : {"pearson", "response", "normalized"}
    max_dist : float, optional
        Pairs farther apart are left out.
    robust : bool
        Cressie and Hawkins' estimate in place of the mean.
    metric : {"euclidean", "maximum", "manhattan"}, optional
        By default the correlation structure's, or euclidean.
    data : DataFrame, optional
        The frame of the fit, which a form needs.

    Returns
    -------
    Variogram
        A DataFrame: ``dist`` (median of the class), ``variogram``, ``n_pairs``. Above 20 different
        distances there are 20 classes of as many pairs each; as in nlme they are open on the left,
        so that pairs at the very smallest distance stand in none (the caption counts them).

    Raises
    ------
    SpecError, DataError
        Another type of residuals, a column that is no number, no pairs at all.

    References
    ----------
    Pinheiro and Bates (2000), section 5.3.2.
    """
    if max_dist is not None and not max_dist > 0:
        raise SpecError(f"max_dist must be a positive distance, not {max_dist!r}")
    values = residuals_in_time(fit.snapshot, residuals)
    codes, points, distance, where = _places(fit, form, data)
    own = fit.snapshot.cor.metric if fit.snapshot.cor is not None else "euclidean"
    chosen = one_of(metric or own, METRICS, "metric", quote=True)
    found = sample_variogram(values, codes, points, chosen, max_distance=max_dist, robust=robust)
    columns = {"dist": found.distance, "variogram": found.semivariance, "n_pairs": found.pairs}
    table = Variogram(columns)
    table.attrs = {
        "caption": f"{residuals} residuals {where}{_in_words(found, robust)}",
        "distance": distance,
        "residuals": residuals,
    }
    return table


def _in_words(found: DistanceClasses, robust: bool) -> str:
    how = ", robust (Cressie and Hawkins)" if robust else ""
    outside = f"; pairs at the smallest distance, in no class: {found.outside}"
    return how + (outside if found.outside else "")


def _places(fit: Fit, form: str | None, data: pd.DataFrame | None) -> tuple[Array, Array, str, str]:
    """Group and place of each row, what a distance is, and where pairs are taken, in words."""
    snapshot = fit.snapshot
    cor = snapshot.cor
    if form is None and cor is not None and cor.cor_class in SPATIAL:
        return cor.codes, cor.covariate, "distance", "within the groups of the correlation"
    codes, where = innermost(snapshot)
    names, groups = form_columns(form) if form is not None else ([], ())
    frame = given(fit, data, f"the form {form!r}") if names or groups else None
    if frame is not None and groups:
        codes, where = group_codes(frame, groups, snapshot.rows), f"within {'/'.join(groups)}"
    if frame is not None and names:
        points = numbers(frame, names, snapshot.rows)
        return codes, points, f"distance in {' and '.join(names)}", where
    return codes, row_order(snapshot, codes)[:, None].astype(float), "distance in rows", where
