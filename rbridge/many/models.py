"""Many models in one call: one for each group, outcome or spec; a row a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import Any, Union

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..check.diagnose import BELOW
from ..errors import ConvergenceWarning, InstallationError, RBridgeError, RWarning, SpecError, warn
from ..fit import engine as engines
from ..fit.vcov import METHODS
from ..frame.design import build_design, check_columns
from ..frame.incoming import FrameLike, as_frame
from ..frame.texts import doubts
from ..model.formula import Name, variables
from ..model.spec import ModelSpec, Random, gls_spec, lme_spec
from ..options import ENGINES, one_of
from ..show.result_frame import ResultFrame
from .outcomes import FitRow, fitted_together, row_of
from .parallel import collect
from .progress import Progress
from .result_file import ResultFile, fingerprint, result_file
from .separate import fitted_apart, separable

Model = Union[str, ModelSpec, Mapping[str, Any]]

_TOGETHER = 5000  # outcomes of one design in a task
_APART = 100  # data sets of one model
ABOUT = ("converged", "reason", "warnings")
TAKEN = {"model", "outcome", *ABOUT, "nobs", "llf", "aic", "bic"}


@dataclass(frozen=True)
class Job:
    """All that is to be fitted: every spec on every group of rows.

    Attributes
    ----------
    data : DataFrame
        The columns that the models need, rows sorted by group.
    ends : (g + 1,) int array
        Group k has the rows ``ends[k]:ends[k + 1]``.
    specs : list of ModelSpec
    labels : DataFrame
        The columns that name each fit, one row a fit: the first spec on all groups, then the next.
    se : tuple of str
    engine : str
    left_out : str
        Of the rows that belong to no group; may be empty.
    """

    data: pd.DataFrame
    ends: NDArray[np.int64]
    specs: list[ModelSpec]
    labels: pd.DataFrame
    se: tuple[str, ...]
    engine: str
    left_out: str = ""

    def task(self, items: Sequence[int], start: int, stop: int) -> partial[list[FitRow]]:
        """The fits ``items[start:stop]`` with the rows that they need, and no others."""
        n_groups = len(self.ends) - 1
        wanted = [divmod(item, n_groups) for item in items[start:stop]]
        groups = [group for _, group in wanted]
        first, last = self.ends[min(groups)], self.ends[max(groups) + 1]
        columns = _columns([self.specs[spec] for spec in {spec: None for spec, _ in wanted}])
        needed = [name for name in columns if name in self.data]
        fits = [
            (item, self.specs[spec], *(self.ends[group : group + 2] - first))
            for item, (spec, group) in zip(items[start:stop], wanted)
        ]
        data = self.data[needed].iloc[first:last]
        return partial(_fit_all, data, fits, self.se, self.engine)


def lme_many(
    model: Model | Sequence[Model] | Mapping[str, Model],
    data: FrameLike,
    random: Random | None = None,
    *,
    by: str | Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    se: str | Sequence[str] = "expected",
    n_jobs: int | None = None,
    progress: Progress = True,
    file: str | PathLike[str] | None = None,
    engine: str = "nlme",
    **options: Any,
) -> pd.DataFrame:
    """Fit many models: one for each group of rows, each outcome, each spec, or all of these.

    Parameters
    ----------
    model : str, ModelSpec, or several
        A formula as for :func:`rbridge.lme` (with ``outcomes``, ``"~ age"`` will do), a spec,
        a list of specs, or a dict of name to spec.
    data : DataFrame
    random : str or dict, optional
        With a formula; without it the models are fitted by gls.
    by : str or list of str, optional
        Columns whose values make the groups. Rows without a value belong to none, and are counted
        in the caption.
    outcomes : list of str, optional
        Each in turn is the response: columns, or expressions such as ``"log(y)"``.
    se : str or list of str
        Standard errors of the components by ``expected``, ``average``, ``observed``, ``delta``.
    n_jobs : int or None
        As in joblib; None is one process, or what ``joblib.parallel_backend`` says.
    progress : bool or callable
        A bar on a terminal, or a function of the numbers done, in all, and failed.
    file : path, optional
        Every finished fit is appended to this file (JSON, one line a fit). Called again with the
        same models and data (values, dtypes, levels and their order), only what is missing is
        fitted. One run at a time has the file.
    engine : {"nlme", "pinned", "native"}
        As for :func:`rbridge.lme`. With ``native`` outcomes that are columns share one design, and
        data sets of one model are fitted together (docs/engines.md, "Many fits").
    **options
        With a formula: ``correlation``, ``weights``, ``method``, ``contrasts``, ``control``,
        ``na_action`` of :func:`rbridge.lme`.

    Returns
    -------
    DataFrame
        One row a fit: ``model``, ``outcome`` and the columns of ``by`` as far as there are
        several; ``converged``, ``reason`` (why a fit failed, else empty), ``warnings`` (R's, and of
        a fit that is no maximum), ``nobs``, ``llf``, ``aic``, ``bic``; the components by label
        with ``se_<method>.<label>``; the fixed effects as ``fixed.<name>`` with
        ``se.fixed.<name>``. ``attrs["caption"]`` counts the rows
        that belong to no group, where there are any.

    Raises
    ------
    SpecError, DataError
        A model that cannot be, a column that is not there: at once, before the first fit.
    ResultFileError
        ``file`` holds the results of other models or data, is in use by another run, damaged, or
        cannot be written.
    """
    data = as_frame(data)
    one_of(engine, ENGINES, "engine", quote=True)
    methods = _methods(se)
    models = [
        (n, _for_speed(spec, methods)) for n, spec in _specs(model, random, outcomes, options)
    ]
    responses = _responses(outcomes, data)
    job = _job(_of_each(models, responses), data, by, methods, engine)
    n = len(job.labels)
    for text in _doubts(job):
        warn(text, RWarning)
    with _opened(file, job) as kept:
        missing = sorted(set(range(n)) - {record.item for record in kept.rows})
        fresh, _ = collect(
            partial(job.task, missing),
            len(missing),
            n_jobs=n_jobs,
            progress=progress,
            what="fits",
            keep=kept.append,
            least=_least(job),
        )
    rows = [*kept.rows, *fresh]
    if below := sum(BELOW in row.warnings for row in rows):
        told = f"{below} of {n} fits {BELOW}: the column 'warnings' says by how much"
        warn(told, ConvergenceWarning)
    return _frame(job, rows)


def _together(engine: str, se: tuple[str, ...]) -> bool:
    return engine == "native" and se == ("expected",)


def _least(job: Job) -> int:
    """How many fits a task has at least: many, where they are fitted together."""
    if not _together(job.engine, job.se):
        return 1
    if len({spec.beside_response.text for spec in job.specs}) < len(job.specs):
        return _TOGETHER
    return _APART if all(map(separable, job.specs)) else 1


class _NoFile:
    """Where no file was asked for."""

    rows: Sequence[FitRow] = ()

    def append(self, batch: Sequence[FitRow]) -> None:
        pass


def _opened(
    file: str | PathLike[str] | None, job: Job
) -> AbstractContextManager[ResultFile[FitRow] | _NoFile]:
    if file is None:
        return nullcontext(_NoFile())
    read = partial(_as_fit_row, n=len(job.labels))
    return result_file(file, fingerprint(job.data, _content(job)), read)


def _as_fit_row(row: Mapping[str, Any], n: int) -> FitRow | None:
    """The row of one of n fits as it stands in a file; None where it is none."""
    wanted = {"item": int, "reason": str, "converged": bool, "warnings": str, "values": dict}
    if {name: type(value) for name, value in row.items()} != wanted or row["item"] not in range(n):
        return None
    numbers = all(type(value) in (int, float) for value in row["values"].values())
    return FitRow(**row) if numbers else None


def _content(job: Job) -> Any:
    content = [[spec.to_dict() for spec in job.specs], list(job.labels.columns), job.se]
    return content if job.engine == "nlme" else [*content, job.engine]


# --- what is to be fitted ---------------------------------------------------------------------


Labelled = list[tuple[dict[str, str], ModelSpec]]  # every spec, with what tells it from the others


def _specs(
    model: Any,
    random: Random | None,
    outcomes: Sequence[str] | str | None,
    options: Mapping[str, Any],
) -> Labelled:
    """The specs as given; a formula without a response gets one, which the outcomes replace."""
    if not isinstance(model, str):
        if random is not None or options:
            given = ", ".join(["random"] * (random is not None) + list(options))
            raise SpecError(f"{given} goes with a formula; a spec has its own")
        return [({}, model)] if isinstance(model, ModelSpec) else _several(model)
    if outcomes and model.lstrip().startswith("~"):
        model = f"y {model}"
    spec = gls_spec(model, **options) if random is None else lme_spec(model, random, **options)
    return [({}, spec)]


def _of_each(models: Labelled, responses: Mapping[str, str | None]) -> Labelled:
    """Every spec of every outcome."""
    if not responses:
        return models
    return [
        (
            {**labels, "outcome": outcome},
            spec.with_column(outcome) if response is None else spec.with_response(response),
        )
        for labels, spec in models
        for outcome, response in responses.items()
    ]


def _responses(outcomes: Sequence[str] | str | None, data: Any) -> dict[str, str | None]:
    """What stands left of the tilde for each outcome: an expression; None for a column."""
    columns = list(getattr(data, "columns", ()))
    names = [outcomes] if isinstance(outcomes, str) else outcomes or ()
    known = {column for column in columns if isinstance(column, str)}
    return {name: None if name in known else name for name in names}


def _several(models: Any) -> list[tuple[dict[str, str], ModelSpec]]:
    if isinstance(models, Mapping) and "fixed" in models:
        return [({}, ModelSpec.from_dict(models))]
    named = models.items() if isinstance(models, Mapping) else enumerate(models)
    specs = [
        ({"model": name}, spec if isinstance(spec, ModelSpec) else ModelSpec.from_dict(spec))
        for name, spec in named
    ]
    if not specs:
        raise SpecError("there is no model to fit")
    return specs


def _job(
    labelled: Labelled,
    data: pd.DataFrame,
    by: str | Sequence[str] | None,
    se: tuple[str, ...],
    engine: str,
) -> Job:
    by = [by] if isinstance(by, str) else list(by or ())
    needed = _columns([spec for _, spec in labelled])
    clash = [name for name in by if name in TAKEN]
    if clash:
        raise SpecError(f"rename {', '.join(clash)} in the data: the result has such a column")
    columns = [name for name in dict.fromkeys([*by, *needed]) if name != "pi" or "pi" in data]
    check_columns(data, columns)
    rows, ends = _groups(data, by)
    sorted_data = data[columns].iloc[rows] if by else data[columns]
    groups = data[by].iloc[rows[ends[:-1]]].reset_index(drop=True)
    names = pd.DataFrame([names for names, _ in labelled])
    names = names.iloc[np.repeat(np.arange(len(names)), len(groups))].reset_index(drop=True)
    again = groups.iloc[np.tile(np.arange(len(groups)), len(labelled))].reset_index(drop=True)
    specs = [spec for _, spec in labelled]
    return Job(sorted_data, ends, specs, names.join(again), se, engine, _left_out(data, by))


def _left_out(data: pd.DataFrame, by: list[str]) -> str:
    counts = data[by].isna().sum()
    missing = ", ".join(f"{name!r} ({n})" for name, n in counts.items() if n)
    n = int(data[by].isna().any(axis=1).sum())
    return f"{n} of {len(data)} rows dropped for missing values of {missing}" if n else ""


def _doubts(job: Job) -> list[str]:
    """What is to be said of the data of all fits, once."""
    models = {spec.beside_response.text: spec for spec in job.specs}
    said = (text for spec in models.values() for text in doubts(spec, job.data))
    return list(dict.fromkeys(said))


def _columns(specs: Sequence[ModelSpec]) -> list[str]:
    """The columns that models name."""
    named: dict[str, None] = {}
    known: set[str] = set()
    for spec in specs:
        lhs, beside = spec.formula.lhs, spec.beside_response
        named |= {lhs.name: None} if isinstance(lhs, Name) else dict.fromkeys(variables(lhs))
        if beside.text not in known:
            known.add(beside.text)
            named |= dict.fromkeys(beside.columns)
    return list(named)


def _methods(se: str | Sequence[str]) -> tuple[str, ...]:
    methods = (se,) if isinstance(se, str) else tuple(se)
    if not set(methods) <= set(METHODS):
        raise SpecError(f"se must be one or more of {', '.join(METHODS)}, not {se!r}")
    return methods


def _groups(data: pd.DataFrame, by: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows in the order of their groups, and where each group begins and ends."""
    if not by:
        return np.arange(len(data)), np.array([0, len(data)])
    number = data.groupby(by, sort=True, observed=True).ngroup().to_numpy()
    number = np.nan_to_num(number.astype(float), nan=-1).astype(np.int64)  # −1: no group
    rows = np.argsort(number, kind="stable")
    rows = rows[number[rows] >= 0]
    if not len(rows):
        raise SpecError(f"no row has a value of {', '.join(map(repr, by))}")
    return rows, np.searchsorted(number[rows], np.arange(number.max() + 2))


def _for_speed(spec: ModelSpec, se: Sequence[str]) -> ModelSpec:
    """Without nlme's apVar where nobody asks for it."""
    return spec if "delta" in se else replace(spec, control={"apVar": False, **spec.control})


# --- in the worker ----------------------------------------------------------------------------


def _fit_all(
    data: pd.DataFrame,
    fits: Sequence[tuple[int, ModelSpec, int, int]],
    se: tuple[str, ...],
    engine: str,
) -> list[FitRow]:
    known: dict[int, FitRow] = {}
    if _together(engine, se):
        known = fitted_together(data, fits)
        known |= fitted_apart(data, [fit for fit in fits if fit[0] not in known])
    return [
        known.get(item) or _fit_one(item, spec, data.iloc[start:stop], se, engine)
        for item, spec, start, stop in fits
    ]


def _fit_one(
    item: int, spec: ModelSpec, data: pd.DataFrame, se: tuple[str, ...], engine: str
) -> FitRow:
    try:
        design = build_design(spec, data)  # of which all has been said at once
        return row_of(item, engines.fit(spec, design, engine).snapshot, se)
    except InstallationError:
        raise  # no fit at all could succeed
    except RBridgeError as error:
        return FitRow(item, str(error))
    except Exception as error:  # one odd data set must not cost the others
        return FitRow(item, f"{type(error).__name__}: {error}")


def _frame(job: Job, records: Sequence[FitRow]) -> pd.DataFrame:
    """The rows in the order of the fits."""
    ordered = sorted(records, key=lambda record: record.item)
    labels = job.labels.iloc[[record.item for record in ordered]].reset_index(drop=True)
    about = pd.DataFrame({name: [getattr(r, name) for r in ordered] for name in ABOUT})
    values = pd.DataFrame([dict(record.values) for record in ordered], index=labels.index)
    table = ResultFrame(pd.concat([labels, about, values], axis=1))
    if job.left_out:
        table.attrs["caption"] = job.left_out
    return table
