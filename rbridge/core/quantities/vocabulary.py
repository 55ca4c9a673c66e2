"""The words for a fit's components: ``var(subject, age)``, ``sigma_sq``, ``total``, full labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...errors import SpecError
from ...options import check_one_each
from ..parameters import free_cor
from ..snapshot import FitSnapshot
from . import quantity as quantities
from .quantity import Point, Quantity


class Vocabulary:
    """What an expression may name in one fit.

    Words: the labels of θ, ``sigma_sq``, ``sigma``, ``residual`` and ``total`` (variances averaged
    over the rows), nlme's names of the within-group coefficients. Calls: ``var``, ``sd``,
    ``cov`` and ``cor`` of a level's random effects, ``mean_var`` of a level, ``sigma_sq`` and
    ``sigma`` of a stratum, ``beta`` of a fixed effect.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        self._snapshot = snapshot
        self._components = quantities.components(snapshot)
        sigma_sq = Quantity("variance", lambda p: p.sigma_sq)
        self._words = {
            **self._coefficients(),
            "sigma_sq": sigma_sq,
            "sigma": Quantity("scale", lambda p: np.sqrt(p.sigma_sq)),
            "residual": quantities.residual_variance(snapshot),
            "total": quantities.total_variance(snapshot),
            **self._components,
        }
        self._calls: dict[str, Callable[[list[str]], Quantity]] = {
            "var": partial(self._of_effect, "var"),
            "sd": partial(self._of_effect, "sd"),
            "cov": partial(self._of_pair, "cov"),
            "cor": partial(self._of_pair, "cor"),
            "mean_var": self._mean_var,
            "sigma_sq": partial(self._of_stratum, "sigma_sq"),
            "sigma": partial(self._of_stratum, "sigma"),
            "beta": self._beta,
        }

    def word(self, name: str) -> Quantity | None:
        """The component of that name, spaces aside; None where there is none."""
        found: Quantity | None = _match(name, self._words)
        return found

    def function(self, name: str) -> Callable[[list[str]], Quantity] | None:
        """From the arguments of ``var``, ``cor`` … to the component; None for another word."""
        return self._calls.get(name)

    def unknown(self, name: str) -> SpecError:
        """The error that lists what there is."""
        words = list(dict.fromkeys([*self._components, *self._words]))
        levels = [f"{lv.group} ({', '.join(lv.names)})" for lv in self._snapshot.levels]
        where = f"; levels for var, sd, cov, cor, mean_var: {'; '.join(levels)}" if levels else ""
        return SpecError(f"no component {name!r}; there is {', '.join(words)}{where}")

    # --- words -------------------------------------------------------------------------------

    def _coefficients(self) -> dict[str, Quantity]:
        """nlme's own names of the free within-group coefficients, where they name only one."""
        names = list(cor.names) if (cor := free_cor(self._snapshot)) else []
        for var in self._snapshot.var:
            names += [name for name, free in zip(var.names, var.free) if free]
        within = [q for label, q in self._components.items() if label[:4] in ("cor_", "var_")]
        return {name: q for name, q in zip(names, within) if names.count(name) == 1}

    # --- calls -------------------------------------------------------------------------------

    def _level(self, arguments: Sequence[str], call: str) -> int:
        groups = [level.group for level in self._snapshot.levels]
        if not arguments or arguments[0] not in groups:
            what = repr(arguments[0]) if arguments else "nothing"
            raise SpecError(f"{call}: {what} is no grouping level (levels: {_listed(groups)})")
        return groups.index(arguments[0])

    def _effect(self, level: int, name: str, call: str) -> int:
        effects = self._snapshot.levels[level].names
        place = _match(name, _places(effects))
        if place is None:
            group = self._snapshot.levels[level].group
            known = _listed(effects)
            raise SpecError(f"{call}: {name!r} is no random effect of {group} (effects: {known})")
        return int(place)

    def _of_effect(self, function: str, arguments: list[str]) -> Quantity:
        call = f"{function}({', '.join(arguments)})"
        level = self._level(arguments, call)
        effects = self._snapshot.levels[level].names
        if len(arguments) > 2 or (len(arguments) == 1 and len(effects) > 1):
            raise SpecError(
                f"{call}: name one random effect (effects: {_listed(effects)}); their joint part "
                f"of the total is mean_var({arguments[0]})"
            )
        i = self._effect(level, (arguments[1:] or effects)[0], call)
        if function == "sd":
            return quantities.deviation_of(level, i)
        return Quantity("variance", lambda p: p.D[level][i, i], ((level, i),))

    def _of_pair(self, function: str, arguments: list[str]) -> Quantity:
        call = f"{function}({', '.join(arguments)})"
        level = self._level(arguments, call)
        effects = list(arguments[1:] or self._snapshot.levels[level].names)
        if len(effects) != 2:
            known = _listed(self._snapshot.levels[level].names)
            raise SpecError(f"{call}: name two random effects (effects: {known})")
        i, j = (self._effect(level, effect, call) for effect in effects)
        if function == "cor":
            return quantities.correlation_of(level, i, j)
        return Quantity("covariance", lambda p: p.D[level][i, j])

    def _mean_var(self, arguments: list[str]) -> Quantity:
        if len(arguments) != 1:
            raise SpecError("mean_var takes one grouping level")
        return quantities.level_variance(self._snapshot, self._level(arguments, "mean_var"))

    def _of_stratum(self, function: str, arguments: list[str]) -> Quantity:
        var = self._snapshot.var
        if len(var) != 1 or var[0].var_class != "varIdent" or len(arguments) != 1:
            raise SpecError(f"{function}(stratum) needs one stratum, and varIdent as the weights")
        stratum = _match(arguments[0], _places(var[0].strata))
        if stratum is None:
            known = _listed(var[0].strata)
            raise SpecError(f"{function}: there is no stratum {arguments[0]!r} (strata: {known})")

        def variance(p: Point) -> Any:
            return p.sigma_sq * p.var[0][stratum] ** 2

        if function == "sigma_sq":
            return Quantity("variance", variance)
        return Quantity("scale", lambda p: np.sqrt(variance(p)))

    def _beta(self, arguments: list[str]) -> Quantity:
        names = self._snapshot.coef_names
        place = _match(arguments[0], _places(names)) if len(arguments) == 1 else None
        if place is None:
            raise SpecError(f"beta takes one fixed effect (there is {_listed(names)})")
        check_one_each(names, [names[place]])
        return Quantity("coefficient", lambda p: p.beta[place])


def _places(names: Sequence[str]) -> dict[str, int]:
    """Position by name, and by the name without the parentheses that Python's grammar drops."""
    bare = {name[1:-1]: k for k, name in enumerate(names) if name[:1] == "(" and name[-1:] == ")"}
    return {**bare, **{name: k for k, name in enumerate(names)}}


def _match(name: str, table: dict[str, Any]) -> Any:
    """The entry of that name, spaces aside."""
    if name in table:
        return table[name]
    wanted = name.replace(" ", "")
    return next((item for key, item in table.items() if key.replace(" ", "") == wanted), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
