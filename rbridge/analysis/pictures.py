"""What the pictures of a fit show: predictions, random and fixed effects, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.residuals import residuals
from ..errors import FormulaError, SpecError
from ..fit.components import Fit
from ..fit.regression import group_labels, in_words
from ..frame.design import check_columns
from ..model.formula import Name, parse_formula
from .diagnostics import varying_effects
from .fixed_effects import fixed_effects
from .given import given
from .groups import ranef, ranef_intervals, typical
from .predictions import predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 41  # of a curve
MOST_PANELS = 30
KINDS = ("response", "pearson", "normalized")


def random_effects_picture(fit: Fit, level: Any, coverage: float, figsize: Any) -> Figure:
    """Caterpillar of the random effects of one level."""
    from ..show.groups import interval_panels

    number = fit.level_number(level)
    tables = ranef_intervals(fit, level, coverage)
    group = fit.snapshot.levels[number - 1].group
    what = f"predicted random effects of {group}; {coverage:.0%} prediction intervals"
    caption = f"{what}; {in_words(fit.snapshot)}"
    return interval_panels(tables, group, caption, figsize, "zero")


def random_pairs_picture(fit: Fit, level: Any, figsize: Any) -> Figure:
    """Random effects of one level against each other."""
    from ..show.groups import pairs_picture

    table = ranef(fit, level)
    group = fit.snapshot.levels[fit.level_number(level) - 1].group
    what = f"predicted random effects of {group}; r: correlation over the groups"
    caption = f"{what}; {in_words(fit.snapshot)}"
    return pairs_picture(table, caption, figsize)


def fixed_effects_picture(
    fit: Fit, intercept: bool, level: float, ax: Any, figsize: Any, options: dict[str, Any]
) -> Figure:
    """Fixed effects with their intervals."""
    from ..show.fixed_effects import forest

    table = fixed_effects(fit, level=level, **options)
    caption = f"{fit.snapshot.spec['fixed']}; {table.attrs['caption']}"
    if not intercept and len(table) > 1:
        table = table.drop(index="(Intercept)", errors="ignore")
    return forest(table, fit.spec.response, caption, ax, figsize)


def predictions_picture(
    fit: Fit,
    by: str,
    interval: str | None,
    groups: Sequence[Any] | None,
    figsize: Any,
    data: pd.DataFrame | None,
) -> Figure:
    """Observed responses and predicted curves, a panel a group, nlme's ``augPred``.

    The other covariates are at their group's mean or most frequent value.
    """
    from ..show.trellis import curves

    frame = given(fit, data, "plot_predictions()").iloc[fit.snapshot.rows]
    _check_axis(fit, frame, by)
    labels = np.array(group_labels(fit.snapshot)[-1], dtype=object)
    chosen = _chosen(labels, groups)
    codes = fit.snapshot.levels[-1].codes
    grid = _grid(frame, by, codes, chosen)
    own = pd.Series(labels[np.repeat(chosen, POINTS)])
    lines = pd.DataFrame({"panel": own, "x": grid[by], "population": fit.predict(grid, 0)})
    if interval is None:
        lines["prediction"] = fit.predict(grid)
    else:
        lines = lines.join(
            predictions(fit, grid, interval=interval)[["prediction", "lower", "upper"]]
        )
    kept = np.isin(codes, chosen)
    rows = {
        "panel": labels[codes[kept]],
        "x": frame[by].to_numpy()[kept],
        "y": fit.snapshot.y[kept],
    }
    names = (by, fit.spec.response, fit.snapshot.levels[-1].group)
    return curves(pd.DataFrame(rows), lines, names, _told(fit, interval), figsize)


def _check_axis(fit: Fit, frame: pd.DataFrame, by: str) -> None:
    check_columns(frame, [by])
    if not pd.api.types.is_numeric_dtype(frame[by].dtype):
        raise SpecError(f"by must be a numeric column, for the axis; {by!r} is none")
    if not fit.snapshot.levels:
        curve = f"fit.means({by!r}, at={{{by!r}: [1, 2, …]}}).plot() draws its curve"
        raise SpecError(f"a gls fit has no groups to predict for: {curve}")


def _chosen(labels: Any, groups: Sequence[Any] | None) -> Any:
    if groups is None:
        if len(labels) > MOST_PANELS:
            raise SpecError(f"{len(labels)} groups are too many panels: name some, groups=[…]")
        return np.arange(len(labels))
    wanted = [groups] if isinstance(groups, str) else list(map(str, groups))
    unknown = [name for name in wanted if name not in set(labels)]
    if unknown or not wanted:
        shown = ", ".join(labels[:8])
        raise SpecError(f"groups: there is no {unknown or 'name in it'} (groups: {shown}, …)")
    return np.array([list(labels).index(name) for name in wanted])


def _grid(frame: pd.DataFrame, by: str, codes: Any, chosen: Any) -> pd.DataFrame:
    """New rows: each chosen group's typical values along the whole range of ``by``."""
    x = np.linspace(frame[by].min(), frame[by].max(), POINTS)
    parts = {name: typical(frame[name], codes) for name in frame}
    rows = pd.DataFrame(parts).loc[np.repeat(chosen, POINTS)].reset_index(drop=True)
    return rows.assign(**{by: np.tile(x, len(chosen))})


def _told(fit: Fit, interval: str | None) -> str:
    band = f"; band: 95% {interval} interval" if interval else ""
    return f"{in_words(fit.snapshot)}; solid: the group, dashed: the population{band}"


def residuals_picture(
    fit: Fit, formula: str, figsize: Any, ax: Any, data: pd.DataFrame | None
) -> Figure:
    """``"pearson ~ fitted | sex"``: residuals against fitted values or a column, by groups."""
    from ..show.residuals import residual_panels

    kind, against, groups = _residual_formula(formula)
    snapshot = fit.snapshot
    columns = [name for name in (against, *groups) if name != "fitted"]
    frame = _columns(fit, data, columns, formula)
    x = snapshot.fitted[:, -1] if against == "fitted" else frame[against].array
    y = residuals(snapshot, kind)  # type: ignore[arg-type]
    table = pd.DataFrame({"panel": _panel_names(frame, groups), "x": x, "y": y})
    name = "fitted value" if against == "fitted" else against
    caption = f"{kind} residuals of {in_words(snapshot)}"
    return residual_panels(table, (name, f"{kind} residual"), caption, ax, figsize)


def _columns(
    fit: Fit, data: pd.DataFrame | None, names: Sequence[str], formula: str
) -> pd.DataFrame:
    """The rows of the fit of the user's frame, which is asked for only where it is needed."""
    if not names:
        return pd.DataFrame(index=fit.snapshot.rows)
    frame = given(fit, data, f"the columns of {formula!r}").iloc[fit.snapshot.rows]
    check_columns(frame, list(names))
    return frame


def _panel_names(frame: pd.DataFrame, groups: Sequence[str]) -> list[str]:
    return [", ".join(map(str, row)) for row in frame[list(groups)].to_numpy(dtype=object)]


def qq_picture(fit: Fit, formula: str, figsize: Any, ax: Any, data: pd.DataFrame | None) -> Figure:
    """``"~ normalized | sex"``: residuals, ``"~ ranef"``: random effects, by normal quantiles."""
    from ..show.quantiles import qq_panels

    kind, groups = _qq_formula(formula)
    model = in_words(fit.snapshot)
    if kind == "ranef":
        effects = varying_effects(fit.snapshot)
        if not effects:
            raise SpecError("there are no random effects that vary: '~ normalized' has residuals")
        caption = f"predicted random effects; {model}"
        return qq_panels(effects, "random effect", caption, ax, figsize)
    frame = _columns(fit, data, groups, formula)
    values = pd.Series(residuals(fit.snapshot, kind))  # type: ignore[arg-type]
    parts = values.groupby(_panel_names(frame, groups), sort=False)
    samples = {name: part.to_numpy() for name, part in parts}
    return qq_panels(samples, f"{kind} residual", f"{kind} residuals of {model}", ax, figsize)


def _qq_formula(formula: str) -> tuple[str, tuple[str, ...]]:
    """Of what the quantiles are, and the columns of the panels."""
    parsed = parse_formula(formula)
    kind = parsed.rhs.name if isinstance(parsed.rhs, Name) and parsed.lhs is None else ""
    if kind not in (*KINDS, "ranef"):
        told = f"on the right alone stands {', '.join(KINDS)} or ranef, '~ normalized | sex'"
        raise FormulaError(told, formula, 0)
    if kind == "ranef" and parsed.groups:
        raise FormulaError("random effects have no panels of their own: '~ ranef'", formula, 0)
    return kind, parsed.groups


def _residual_formula(formula: str) -> tuple[str, str, tuple[str, ...]]:
    """The kind of residuals, what stands on the axis, and the columns of the panels."""
    parsed = parse_formula(formula)
    kind = parsed.lhs.name if isinstance(parsed.lhs, Name) else ""
    if kind not in KINDS:
        raise FormulaError(f"on the left stands {', '.join(KINDS)}", formula, 0)
    if not isinstance(parsed.rhs, Name):
        told = "on the right stands fitted or a column, 'pearson ~ fitted | sex'"
        raise FormulaError(told, formula, 0)
    return kind, parsed.rhs.name, parsed.groups
