"""A saved fit in a process where R cannot start: all of the inference on fixed effects works."""

from __future__ import annotations

import json
from pathlib import Path

from rbridge.core.snapshot import FitSnapshot
from rbridge.results import LmeResults
from tests.support import trial
from tests.support.processes import says

CODE = """
    import json, sys
    sys.modules["rpy2"] = None  # an import of it fails
    import rbridge as rb

    fit = rb.load("fit.zip")
    print(json.dumps([
        fit.fixed_effects().to_dict(),
        fit.fixed_effects(vcov="CR2", cluster="patient").to_dict(),
        fit.test("arm1 = 0, arm2 = 0").statistic,
        {kind: fit.anova(kind, ddf="satterthwaite").to_dict() for kind in ("I", "II", "III")},
        fit.means("arm", by="visit").to_frame().to_dict(),
        fit.means("arm", by="visit").contrasts(adjust="holm").to_dict(),
        fit.predict(interval="prediction").reset_index(drop=True).to_dict(),
        fit.joint_cov().to_dict(),
        fit.effect_size({"arm1": 1}, [1, 1]).conf_int(method="noncentral"),
    ]))
"""


def everything(fit: LmeResults) -> str:
    return json.dumps(
        [
            fit.fixed_effects().to_dict(),
            fit.fixed_effects(vcov="CR2", cluster="patient").to_dict(),
            fit.test("arm1 = 0, arm2 = 0").statistic,
            {kind: fit.anova(kind, ddf="satterthwaite").to_dict() for kind in ("I", "II", "III")},
            fit.means("arm", by="visit").to_frame().to_dict(),
            fit.means("arm", by="visit").contrasts(adjust="holm").to_dict(),
            fit.predict(interval="prediction").reset_index(drop=True).to_dict(),
            fit.joint_cov().to_dict(),
            fit.effect_size({"arm1": 1}, [1, 1]).conf_int(method="noncentral"),
        ]
    )


def test_everything_from_a_file(tmp_path: Path) -> None:
    fit = trial.fit()
    fit.save(tmp_path / "fit.zip")
    elsewhere = says(CODE, cwd=tmp_path, PATH="/nowhere", R_HOME="/nowhere")
    assert json.loads(elsewhere) == json.loads(everything(fit))


def test_everything_from_plain_json() -> None:
    fit = trial.fit()
    plain = json.loads(json.dumps(fit.snapshot.to_dict()))
    again = LmeResults(FitSnapshot.from_dict(plain), index=trial.data().index)
    assert json.loads(everything(again)) == json.loads(everything(fit))
