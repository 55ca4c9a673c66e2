"""How β is tested: one place to choose the method, one way to use any of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike

from ...errors import InformationError, SpecError
from ...options import check_share, one_of
from ..arrays import Array
from ..engine.forms import Forms
from ..snapshot import FitSnapshot
from .distributions import f_tail, t_quantile, t_tails
from .hypothesis import Scaling, WaldTest, hypothesis, rows_of, wald
from .interior import Dropped, interior_covariance
from .kenward_roger import Form, KenwardRoger, kenward_roger
from .moments import fixed_moments
from .sandwich import cluster_robust
from .satterthwaite import Satterthwaite

Ddf = Literal["kenward-roger", "satterthwaite", "containment", "residual", "normal"]
Vcov = Literal["model", "CR0", "CR2", "CR3"]
ThetaInformation = Literal["expected", "observed"]


class TestingMethod(Protocol):
    """A covariance of β̂ and the degrees of freedom that go with it."""

    @property
    def vcov(self) -> Array:
        """(p, p) array."""

    def row_df(self, L: Array) -> Array:
        """(q,) degrees of freedom of the rows of L (q, p)."""

    def scaling(self, L: Array) -> Scaling:
        """Of the F test of linearly independent rows L (q, p)."""


@dataclass(frozen=True)
class KnownDf:
    """Degrees of freedom given by coefficient; a combination has the fewest of those it involves.

    Attributes
    ----------
    vcov : (p, p) array
    df : (p,) array
    """

    vcov: Array
    df: Array

    def row_df(self, L: Array) -> Array:
        """(q,) degrees of freedom of the rows of L (q, p)."""
        return np.asarray(np.where(L != 0, self.df, np.inf).min(axis=1))

    def scaling(self, L: Array) -> Scaling:
        """The fewest of all coefficients involved, which nlme refuses to choose."""
        involved = self.df[(L != 0).any(axis=0)]
        fewest, most = float(involved.min()), float(involved.max())
        note = f"its coefficients have {fewest:g} to {most:g} df; the fewest are taken"
        return Scaling(1.0, fewest, note if fewest < most else "")


@dataclass(frozen=True)
class Rows:
    """Linear combinations of β̂, one an element of each (q,) array.

    Attributes
    ----------
    estimate, se, df : (q,) arrays
        ``df`` is infinite where the normal distribution serves; ``se`` is NaN where the adjusted
        variance is negative, as that of a model that is not identified can be.
    t, p : (q,) arrays
        Of the hypothesis that the combination equals its right-hand side; p is NaN where there
        are no positive degrees of freedom.
    """

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array

    def limits(self, level: float = 0.95) -> tuple[Array, Array]:
        """Confidence limits, lower and upper."""
        check_share(level)
        reach = t_quantile((1 + level) / 2, self.df) * self.se
        return self.estimate - reach, self.estimate + reach


@dataclass(frozen=True)
class Inference:
    """β̂ with a method to test it.

    Attributes
    ----------
    beta : (p,) array
    method : TestingMethod
    description : str
        The method in words, for a caption.
    dropped : tuple of Dropped
        What stands at the boundary and does not count towards the uncertainty of θ̂.
    """

    beta: Array
    method: TestingMethod
    description: str
    dropped: tuple[Dropped, ...] = ()

    @property
    def vcov(self) -> Array:
        """Covariance of β̂, (p, p)."""
        return self.method.vcov

    def rows(self, L: ArrayLike, rhs: ArrayLike = 0.0) -> Rows:
        """Estimate, standard error and t test of every row of L (q, p).

        Raises
        ------
        SpecError, DataError
            See :func:`.hypothesis.rows_of`.
        """
        rows = rows_of(L, len(self.beta))
        estimate = rows @ self.beta
        variance = np.einsum("qi,ij,qj->q", rows, self.vcov, rows)
        se = np.sqrt(np.where(variance >= 0, variance, np.nan))  # of what is not identified
        df = self.method.row_df(rows)
        t = (estimate - np.asarray(rhs, float)) / se
        return Rows(estimate, se, df, t, t_tails(t, df))

    def test(self, L: ArrayLike, rhs: ArrayLike = 0.0, df_den: float | None = None) -> WaldTest:
        """F test of Lβ = rhs.

        Parameters
        ----------
        L : (q, p) array
            Rows that follow from the others are left out, and the result says so.
        rhs : float or (q,) array
        df_den : float, optional
            Denominator degrees of freedom in place of the method's, such as nlme's of a term.

        Raises
        ------
        SpecError, DataError
            See :func:`.hypothesis.hypothesis`.
        """
        asked = hypothesis(L, self.vcov, rhs)
        q = len(asked.L)
        scaling = self.method.scaling(asked.L) if df_den is None else Scaling(1.0, df_den)
        covariance = asked.L @ self.vcov @ asked.L.T
        statistic = scaling.factor * wald(asked.L @ self.beta - asked.rhs, covariance)
        notes = [scaling.note]
        if asked.redundant:
            notes.append(f"{asked.redundant} of the rows follow from the others")
        if not scaling.df_den > 0 and not scaling.note:
            notes.append("no degrees of freedom are left")
        p = f_tail(statistic, q, scaling.df_den)
        return WaldTest(statistic, q, scaling.df_den, p, "; ".join(filter(None, notes)))


def inference(
    snapshot: FitSnapshot,
    forms: Forms,
    ddf: Ddf | None = None,
    *,
    information: ThetaInformation | None = None,
    kr: Form = "linear",
    vcov: Vcov = "model",
    cluster: Array | None = None,
) -> Inference:
    """Choose how β is tested.

    Parameters
    ----------
    snapshot : FitSnapshot
    forms : Forms
        What :func:`~rbridge.core.engine.contractions.contract` gives of it.
    ddf : {"kenward-roger", "satterthwaite", "containment", "residual", "normal"}, optional
        By default Kenward and Roger's, and with a sandwich covariance Satterthwaite's.
        ``containment`` is all of nlme's inference: its degrees of freedom, and for an lme by ML its
        covariance times n/(n − p). ``residual``: n − p. ``normal``: infinite.
    information : {"expected", "observed"}, optional
        Whose inverse is Cov(θ̂); by default expected for Kenward–Roger, observed for Satterthwaite.
    kr : {"linear", "full"}
    vcov : {"model", "CR0", "CR2", "CR3"}
    cluster : (n,) array, optional
        Of each row in snapshot order, for the sandwich; by default the outermost groups.

    Raises
    ------
    SpecError
        The arguments do not go together, or the method does not go with the fit.
    InformationError
        The information has no inverse; the message names the parameters.
    """
    one_of(vcov, get_args(Vcov), "vcov")
    chosen = ddf or ("kenward-roger" if vcov == "model" else "satterthwaite")
    one_of(chosen, get_args(Ddf), "ddf")
    _check_together(chosen, information, kr, vcov, cluster)
    if vcov != "model":
        return _robust(snapshot, forms, chosen, vcov, cluster)
    if chosen in ("kenward-roger", "satterthwaite"):
        return _moved_by_theta(snapshot, forms, chosen, information, kr)
    covariance = _nlme_vcov(snapshot) if chosen == "containment" else fixed_moments(forms).phi
    method = KnownDf(covariance, _known_df(snapshot, chosen))
    return Inference(snapshot.beta, method, _KNOWN[chosen])


_KNOWN = {
    "containment": "degrees of freedom by containment (nlme)",
    "residual": "residual degrees of freedom (n − p)",
    "normal": "normal distribution",
}
_NAMES = {"kenward-roger": "Kenward–Roger", "satterthwaite": "Satterthwaite"}
_DEFAULT_INFORMATION: dict[str, ThetaInformation] = {
    "kenward-roger": "expected",
    "satterthwaite": "observed",
}


def _check_together(
    ddf: str, information: str | None, kr: str, vcov: str, cluster: Array | None
) -> None:
    if vcov != "model" and ddf == "kenward-roger":
        raise SpecError(
            f"vcov={vcov!r} replaces the covariance that Kenward–Roger corrects: "
            "use ddf='satterthwaite'"
        )
    if vcov == "model" and cluster is not None:
        raise SpecError("cluster is for vcov='CR0', 'CR2' or 'CR3'")
    if kr != "linear" and ddf != "kenward-roger":
        raise SpecError(f"kr={kr!r} is for ddf='kenward-roger'")
    if information is None:
        return
    one_of(information, get_args(ThetaInformation), "information")
    if vcov != "model" or ddf not in _NAMES:
        raise SpecError("information is for ddf='kenward-roger' or 'satterthwaite', vcov='model'")


def _moved_by_theta(
    snapshot: FitSnapshot, forms: Forms, ddf: str, information: ThetaInformation | None, kr: Form
) -> Inference:
    """The methods that need Cov(θ̂)."""
    kind = information or _DEFAULT_INFORMATION[ddf]
    try:
        if ddf == "kenward-roger":
            method: KenwardRoger | Satterthwaite = kenward_roger(snapshot, forms, kind, kr)
        else:
            W = interior_covariance(snapshot, forms, kind, idle=True)
            method = Satterthwaite(fixed_moments(forms), W)
    except InformationError as error:
        other = "; try information='expected'" if kind == "observed" else ""
        raise InformationError(f"{error}{other}") from None
    form = f", {kr} form" if ddf == "kenward-roger" else ""
    text = f"{_NAMES[ddf]}{form}, {kind} information"
    return Inference(snapshot.beta, method, text, method.W.dropped)


def _robust(
    snapshot: FitSnapshot, forms: Forms, ddf: str, kind: str, cluster: Array | None
) -> Inference:
    robust = cluster_robust(snapshot, forms, kind, cluster)  # type: ignore[arg-type]
    text = f"{kind} by {robust.count} clusters"
    if ddf == "satterthwaite":
        both = "Satterthwaite degrees of freedom, approximate Hotelling T² for several rows"
        return Inference(snapshot.beta, robust, f"{text}, {both}")
    method = KnownDf(robust.vcov, _known_df(snapshot, ddf))
    return Inference(snapshot.beta, method, f"{text}, {_KNOWN[ddf]}")


def _known_df(snapshot: FitSnapshot, ddf: str) -> Array:
    n, p = snapshot.X.shape
    if ddf == "containment":
        return snapshot.df
    return np.full(p, float(n - p) if ddf == "residual" else np.inf)


def _nlme_vcov(snapshot: FitSnapshot) -> Array:
    """As summary and anova have it: by ML times n/(n − p), which vcov of a gls has in it."""
    n, p = snapshot.X.shape
    factor = n / (n - p) if (snapshot.kind, snapshot.method) == ("lme", "ML") else 1.0
    return np.asarray(snapshot.vcov * factor)
