"""Repeated measures without random effects: an MMRM is a gls with a covariance over visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from .api import gls
from .core.arrays import Array
from .core.engine.covariance import correlation as correlation_matrix
from .core.engine.model import model_at
from .core.snapshot import CovarianceChoice, FitSnapshot
from .errors import DataError, FitError, SpecError
from .frame.design import check_columns
from .frame.incoming import FrameLike, as_frame
from .model.spec import gls_spec
from .model.structures import Structure, corAR1, corARMA, corCompSymm, corSymm, varIdent
from .options import one_of
from .r.nlme import Fitted
from .results import LmeResults

SHORT = {
    "us": "unstructured",  # as nlme's kin has it; un, ar(1) … as SAS
    "un": "unstructured",
    "toep": "toeplitz",
    "toeph": "heterogeneous toeplitz",
    "ar(1)": "autoregressive",
    "arh(1)": "heterogeneous autoregressive",
    "ar1": "autoregressive",
    "ar1h": "heterogeneous autoregressive",
    "cs": "compound symmetry",
    "csh": "heterogeneous compound symmetry",
    "id": "independent",
    "vc": "independent",
    "un(1)": "heterogeneous independent",
    "diag": "heterogeneous independent",
}
COVARIANCES = tuple(dict.fromkeys(SHORT.values()))
HETEROGENEOUS = "heterogeneous "
VISIT = "visit number"  # the column of the visits' positions that is added to the data


class MmrmResults(LmeResults):
    """A fitted MMRM.

    Attributes
    ----------
    covariance : CovarianceChoice
    """

    def __init__(
        self, snapshot: FitSnapshot, fitted: Fitted | None, index: Any, covariance: CovarianceChoice
    ) -> None:
        super().__init__(snapshot, fitted, index)
        self.covariance = covariance

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "covariance": self.covariance}

    def predict(
        self, new_data: FrameLike | None = None, level: Any = None, **options: Any
    ) -> pd.Series | pd.DataFrame:
        """Predictions, as :meth:`LmeResults.predict`; new data have their visits as the data had.

        Raises
        ------
        DataError
            A visit that the fit has not seen.
        """
        if new_data is not None:
            new_data = _positioned(as_frame(new_data), self.covariance)
        return super().predict(new_data, level, **options)

    def update(self, *args: Any, **changes: Any) -> LmeResults:
        """None: the positions of the visits and the covariances tried belong to the call.

        Raises
        ------
        SpecError
        """
        raise SpecError("an mmrm is not updated in parts: call rb.mmrm again with what changes")

    @property
    def cov_visits(self) -> pd.DataFrame:
        """The covariance matrix over the visits, (v, v); with ``group`` that of its first group."""
        return self.cov_visits_of()

    def cov_visits_of(self, group: Any = None) -> pd.DataFrame:
        """The covariance matrix over the visits of one group, (v, v); by default of the first.

        Raises
        ------
        SpecError
            The fit has no ``group``, or not this one; the group has no row at a visit.
        """
        return visit_covariance(self.snapshot, self.covariance, group)


def mmrm(
    formula: str,
    data: FrameLike,
    *,
    subject: str,
    visit: str,
    covariance: str | Sequence[str] = "unstructured",
    group: str | None = None,
    method: str = "REML",
    contrasts: Mapping[str, Any] | None = None,
    control: Mapping[str, Any] | None = None,
    na_action: str = "drop",
    engine: str = "nlme",
) -> MmrmResults:
    """Mixed model for repeated measures: correlated visits, no random effects.

    Parameters
    ----------
    formula : str
        ``"change ~ baseline + arm * visit"``.
    data : DataFrame
        One row a subject and visit; visits may be missing.
    subject, visit : str
        Columns. Visits are in order of their categories or numbers; text without an order will do
        where the covariance does not depend on one. In the formula the visit is a factor, a number
        too: for a trend in time name another column.
    covariance : str or list of str
        ``unstructured`` (``us``), ``toeplitz`` (``toep``), ``autoregressive`` (``ar1``),
        ``compound symmetry`` (``cs``), ``independent`` (``id``), and with ``heterogeneous ``
        before the last four words (``toeph``, ``ar1h``, ``csh``, ``diag``) a variance for each
        visit; SAS's ``un``, ``ar(1)``, ``arh(1)``, ``vc``, ``un(1)`` too. Of a list the first that
        converges is taken.
    group : str, optional
        Column whose groups have their own variances; the correlations are common to all, for
        nlme has no correlation by group.
    method, contrasts, control, na_action, engine
        As for :func:`rbridge.gls`.

    Returns
    -------
    MmrmResults
        A gls fit; ``covariance`` says which held, and why those before it did not.

    Raises
    ------
    SpecError, DataError
        A column that is missing, a visit that stands twice for one subject; the message names
        it. And as :func:`rbridge.gls`.
    FitError
        No covariance held; the message has every reason.

    Notes
    -----
    The data that nlme gets have one column more, ``visit number``, 1, 2, 3 … in order of visits.
    """
    data = as_frame(data)
    tried = _names(covariance)
    complete = _complete(formula, data, [subject, visit, *([group] if group else [])])
    visits = _visits(data[visit][complete], visit, tried)
    frame, position = _with_positions(data, complete, subject, visit, visits)
    options: dict[str, Any] = {"method": method, "contrasts": contrasts, "control": control}
    options |= {"na_action": na_action, "engine": engine}
    failed: dict[str, str] = {}
    for name in tried:
        correlation, weights = _structures(name, subject, visit, group, position, len(visits))
        structures: dict[str, Any] = {"correlation": correlation, "weights": weights}
        try:
            fit = gls(formula, frame, **structures, **options)
        except FitError as error:
            failed[name] = str(error)
            continue
        if fit.converged:
            choice = CovarianceChoice(name, tuple(visits), visit, position, group, failed)
            kept = replace(fit.snapshot, visits=replace(choice, visits=tuple(map(_plain, visits))))
            return MmrmResults(kept, fit.in_r("mmrm"), data.index, choice)
        failed[name] = f"not converged: {'; '.join(fit.warnings_)}"
    reasons = "\n".join(f"  {name}: {why}" for name, why in failed.items())
    raise FitError(f"no covariance held:\n{reasons}")


def load(path: str | PathLike[str]) -> LmeResults:
    """Results from a file that ``fit.save(path)`` wrote, of an MMRM too; needs no R.

    Raises
    ------
    SnapshotError
        The file holds no snapshot.
    NoFileError
        There is no such file.
    """
    snapshot = FitSnapshot.load(path)
    if snapshot.visits is None:
        return LmeResults(snapshot)
    return MmrmResults(snapshot, None, None, snapshot.visits)


def _plain(visit: Any) -> Any:
    """A visit as a file can hold it."""
    return visit if isinstance(visit, (str, int, float, np.number)) else str(visit)


def _names(covariance: Any) -> list[str]:
    """The full names of the covariances that are to be tried."""
    asked = [covariance] if isinstance(covariance, str) else covariance
    if not isinstance(asked, (list, tuple)) or not asked:
        raise SpecError(f"covariance takes a name or a list of names, not {covariance!r}")
    words = [name.lower() if isinstance(name, str) else name for name in asked]
    names = [SHORT.get(name, name) if isinstance(name, str) else name for name in words]
    return [one_of(name, COVARIANCES, "covariance", shown=_with_short()) for name in names]


def _with_short() -> list[str]:
    """``unstructured (us, un)``, and so on."""
    short: dict[str, list[str]] = {}
    for word, name in SHORT.items():
        short.setdefault(name, []).append(word)
    return [f"{name} ({', '.join(words)})" for name, words in short.items()]


def _complete(formula: str, data: pd.DataFrame, columns: Sequence[Any]) -> pd.Series:
    """Which rows gls will take: those that miss nothing."""
    for name in columns:
        if not isinstance(name, str):
            raise SpecError(f"subject, visit and group are names of columns, not {name!r}")
    if len(set(columns)) < len(columns):
        raise SpecError("subject, visit and group must be different columns")
    check_columns(data, columns)
    named = [name for name in gls_spec(formula).columns() if name in data]
    check_columns(data, named)
    return data[[*columns, *named]].notna().all(axis=1)


def _visits(column: pd.Series, name: str, tried: Sequence[str]) -> list[Any]:
    """The visits in order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(column)
        return [visit for visit in column.cat.categories if visit in used]
    try:
        visits: list[Any] = pd.Index(column.unique()).sort_values().tolist()
    except TypeError:
        raise DataError(f"column {name!r} mixes kinds of values, which have no order") from None
    ordered = [each for each in tried if "toeplitz" in each or "autoregressive" in each]
    if ordered and any(isinstance(visit, str) for visit in visits):
        raise DataError(
            f"column {name!r} is text, whose order is not that of the visits, and {ordered[0]!r} "
            f"depends on it: make it a Categorical, pd.Categorical(data[{name!r}], [first, …])"
        )
    return visits


def _with_positions(
    data: pd.DataFrame, complete: pd.Series, subject: str, visit: str, visits: list[Any]
) -> tuple[pd.DataFrame, str]:
    """The data with the visits as categories, and with their positions in a column of its own."""
    taken = data[complete]
    twice = taken[taken.duplicated([subject, visit])]
    if len(twice):
        who, when = twice[subject].tolist()[0], twice[visit].tolist()[0]
        raise DataError(f"column {visit!r}: {when!r} stands twice for {subject} {who!r}")
    if len(visits) < 2:
        raise DataError(f"column {visit!r} has {len(visits)} visit(s): an MMRM needs two or more")
    position = VISIT
    while position in data:
        position += "_"
    return _numbered(data, visit, position, visits), position


def _numbered(data: pd.DataFrame, visit: str, position: str, visits: Sequence[Any]) -> pd.DataFrame:
    codes = pd.Index(visits).get_indexer(pd.Index(data[visit].astype(object), dtype=object))
    numbers = pd.Series(codes, data.index).astype(float) + 1
    named = pd.Categorical.from_codes(codes, categories=visits)
    return data.assign(**{visit: named, position: numbers.where(numbers > 0)})


def _positioned(data: pd.DataFrame, choice: CovarianceChoice) -> pd.DataFrame:
    """New data with the visits of the fit, where they have any."""
    if choice.visit not in data:
        return data
    check_columns(data, [choice.visit])
    known = data[choice.visit].isin(choice.visits)
    if not known.all():
        listed = ", ".join(map(str, choice.visits))
        stranger = data[choice.visit][~known].iloc[0]
        raise DataError(f"column {choice.visit!r}: {stranger!r} is no visit of the fit ({listed})")
    return _numbered(data, choice.visit, choice.position, choice.visits)


def _structures(
    name: str, subject: str, visit: str, group: str | None, position: str, n_visits: int
) -> tuple[Structure | None, Structure | None]:
    """nlme's correlation and variance function of a covariance over visits."""
    own = _by_visit(name)
    strata = [f"`{column}`" for column in ([visit] if own else []) + ([group] if group else [])]
    weights = varIdent(f"~ 1 | {' * '.join(strata)}") if strata else None
    form, bare = f"~ `{position}` | `{subject}`", name.removeprefix(HETEROGENEOUS)
    correlations = {
        "unstructured": corSymm(form=form),
        "toeplitz": corARMA(form=form, p=n_visits - 1),
        "autoregressive": corAR1(form=form),
        "compound symmetry": corCompSymm(form=f"~ 1 | `{subject}`"),
    }
    return correlations.get(bare), weights


def _by_visit(name: str) -> bool:
    """Whether each visit has a variance of its own."""
    return name == "unstructured" or name.startswith(HETEROGENEOUS)


def visit_covariance(
    snapshot: FitSnapshot, choice: CovarianceChoice, group: Any = None
) -> pd.DataFrame:
    """σ² S R S over the visits, (v, v), of one group."""
    v, names = len(choice.visits), list(choice.visits)
    R = np.eye(v)
    if snapshot.cor is not None:
        first = float(snapshot.cor.covariate.min())
        at = first + np.arange(v, dtype=float)[:, None]
        R = correlation_matrix(snapshot.cor, model_at(snapshot).cor_coefs, at)
    sd = snapshot.sigma * _deviations(snapshot, choice, group)
    return pd.DataFrame(np.outer(sd, sd) * R, names, names)


def _deviations(snapshot: FitSnapshot, choice: CovarianceChoice, group: Any) -> Array:
    """Standard deviation of each visit in one group, over σ."""
    var = snapshot.var[0] if snapshot.var else None
    known = dict(zip(var.strata, var.values)) if var else {}
    visits = [str(visit) for visit in choice.visits] if _by_visit(choice.name) else [""]
    if choice.group is None:
        if group is not None:
            raise SpecError("the fit has no group: mmrm(…, group=…) gives each its variances")
        found = [known.get(visit, 1.0) for visit in visits]
    else:
        starts = [f"{visit}*" if visit else "" for visit in visits]
        groups = dict.fromkeys(s[len(a) :] for a in starts for s in known if s.startswith(a))
        chosen = one_of(next(iter(groups)) if group is None else str(group), groups, "group")
        missing = [v for v, a in zip(visits, starts) if a + chosen not in known]
        if missing:
            raise SpecError(f"{choice.group} {chosen!r} has no row at {missing[0]}")
        found = [known[a + chosen] for a in starts]
    return np.broadcast_to(np.array(found), (len(choice.visits),))
