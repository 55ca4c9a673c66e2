"""How often a true null hypothesis about a fixed effect is rejected, by the kind of inference.

usage: python benchmarks/type_one_error.py [DATA SETS, by default 2000]

Half of the groups are in each arm, five times a group; arm and arm:time have no effect. Fits are
the REML estimates found here; R makes each design once. The table stands in docs/fixed-effects.md.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rbridge.analysis.fixed_effects import fixed_effects
from rbridge.core.fitting import native
from rbridge.core.fixed_effects.containment import containment_df
from rbridge.core.simulate import process
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import RBridgeError
from rbridge.fit.components import Fit
from rbridge.model.spec import ModelSpec, gls_spec, lme_spec
from rbridge.r.prepare import prepare

GROUPS, TIMES, NOMINAL = (8, 12, 20), 5, 0.05
METHODS = {
    "containment": {"ddf": "containment"},
    "Satterthwaite": {"ddf": "satterthwaite"},
    "Kenward-Roger": {"ddf": "kenward-roger"},
    "CR2": {"vcov": "CR2"},
}
PLAIN = {"method": "REML", "contrasts": {}, "control": {}, "na_action": "drop"}


@dataclass(frozen=True)
class Truth:
    """A model, its true parameters, and the coefficient that is zero."""

    name: str
    spec: ModelSpec
    coefficient: str
    D: np.ndarray | None = None
    cor: float = 0.0
    ratio: float = 1.0

    def at_truth(self, snapshot: FitSnapshot) -> FitSnapshot:
        """The design with the true parameters for estimates."""
        levels = tuple(replace(level, D=self.D) for level in snapshot.levels)
        cor = snapshot.cor and replace(snapshot.cor, values=np.array([self.cor]))
        var = tuple(replace(v, values=np.array([1.0, self.ratio])) for v in snapshot.var)
        return replace(snapshot, levels=levels, cor=cor, var=var, sigma=1.0)


FIXED = "y ~ arm * time"
TRUTHS = (
    Truth(
        "random intercept", lme_spec(FIXED, "~ 1 | group", None, None, **PLAIN), "armb", np.eye(1)
    ),
    Truth(
        "random slope",
        lme_spec(FIXED, "~ time | group", None, None, **PLAIN),
        "armb:time",
        np.array([[1.0, 0.1], [0.1, 0.3]]),
    ),
    Truth(
        "AR(1)",
        gls_spec(FIXED, "corAR1(form = ~ 1 | group)", None, **PLAIN),
        "armb:time",
        cor=0.6,
    ),
    Truth(
        "varIdent by arm",
        lme_spec(FIXED, "~ 1 | group", None, "varIdent(form = ~ 1 | arm)", **PLAIN),
        "armb",
        np.eye(1),
        ratio=2.0,
    ),
)


def frame(groups: int) -> pd.DataFrame:
    group = np.repeat(np.arange(groups), TIMES)
    time = np.tile(np.arange(TIMES) - (TIMES - 1) / 2, groups)
    arm = np.where(group % 2, "b", "a")
    return pd.DataFrame(
        {"y": np.arange(len(group)) % 7.0, "arm": arm, "time": time, "group": group}
    )


def p_values(snapshot: FitSnapshot, coefficient: str) -> dict[str, float]:
    """The p-value by each method; NaN where there is none."""
    fit, found = Fit(snapshot), {}
    for name, options in METHODS.items():
        try:
            found[name] = float(fixed_effects(fit, **options).loc[coefficient, "p"])
        except RBridgeError:
            found[name] = np.nan
    return found


def rejected(truth: Truth, groups: int, n: int) -> pd.Series:
    """Per cent of the data sets in which the true hypothesis was rejected."""
    design = prepare(truth.spec, frame(groups))[0]
    assert design.terms is not None
    design = replace(design, df=containment_df(design, design.terms.assign).columns)
    source = process(truth.at_truth(design))
    rng = np.random.default_rng(groups)
    rows = []
    for _ in range(n):
        fitted, _ = native.fit(replace(design, y=source.draw(rng)))
        rows.append(p_values(fitted, truth.coefficient))
    table = pd.DataFrame(rows)
    return (table < NOMINAL).sum() / table.notna().sum() * 100


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{n} data sets each; one standard error of 5 % is {np.sqrt(0.05 * 0.95 / n):.1%}")
    print(f"| model, coefficient | groups | {' | '.join(METHODS)} |")
    print(f"|---|---:|{'---:|' * len(METHODS)}")
    for truth in TRUTHS:
        for groups in GROUPS:
            shares = rejected(truth, groups, n)
            cells = " | ".join(f"{share:.1f}" for share in shares)
            print(f"| {truth.name}, `{truth.coefficient}` | {groups} | {cells} |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
