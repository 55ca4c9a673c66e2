"""Profile likelihoods of a fit as frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.intervals.profile import Curve
from ..core.parameters import theta
from ..core.quantities.expressions import read
from ..core.quantities.quantity import component_quantities
from ..core.quantities.vocabulary import Vocabulary
from ..errors import RBridgeError, SpecError
from ..fit.components import Fit
from ..fit.regression import in_words
from ..many.profiles import profiles
from ..many.progress import Progress
from ..options import check_share
from ..show.report import Report, Reported
from ..show.result_frame import ResultFrame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Profile(Reported):
    """Profile likelihoods of some quantities of a fit.

    Attributes
    ----------
    by_name : mapping of str to Curve
    level : float
    of : str
        The fit, in words.
    """

    by_name: Mapping[str, Curve]
    level: float
    of: str = ""

    @property
    def curves(self) -> pd.DataFrame:
        """Points for a picture: ``component``, ``value``, ``zeta``, ``log_lik``.

        ζ = ±√(2(ℓ_max − ℓ)) is a straight line where the Wald interval would be right.
        """
        frames = [
            pd.DataFrame(
                {"component": name, "value": c.value, "zeta": c.zeta, "log_lik": c.log_lik}
            )
            for name, c in self.by_name.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def conf_int(self) -> pd.DataFrame:
        """``lower``, ``estimate``, ``upper`` and ``note`` (an end that is a bound, and why)."""
        fields = ("lower", "estimate", "upper", "note")
        rows = [[getattr(curve, field) for field in fields] for curve in self.by_name.values()]
        frame = ResultFrame(rows, index=list(self.by_name), columns=list(fields))
        frame.attrs["method"] = f"profile likelihood, {self.level:.0%}"
        return frame

    def plot(self, *, figsize: Any = None) -> Figure:
        """ζ against the value, a panel a quantity."""
        from ..show.profiles import profile_curves

        return profile_curves(self.by_name, self.level, f"profile likelihood, {self.of}", figsize)

    def _report(self) -> Report:
        table = self.conf_int()
        if not table["note"].any():
            table = table.drop(columns="note")
        return Report("Profile likelihood", [(f"{self.level:.0%} intervals", table)])

    def __repr__(self) -> str:
        n = len(self.by_name)
        what = f"{n} curve{'s' if n != 1 else ''}, {self.level:.0%} intervals"
        return f"<Profile likelihood: {what} of {', '.join(self.by_name)}>"


def profile(
    fit: Fit,
    *what: str,
    level: float = 0.95,
    n_jobs: int | None = None,
    progress: Progress = True,
) -> Profile:
    """Profile likelihoods of the components, or of anything derived from them.

    Parameters
    ----------
    fit : Fit
    *what : str
        Components or expressions, as for :func:`rbridge.analysis.derive.derive` (without
        ``beta``); by default every component and every correlation of random effects.
    level : float
        Of the interval that the curves must cover.
    n_jobs, progress
        A quantity a task; as for :meth:`rbridge.LmeResults.bootstrap`.

    Returns
    -------
    Profile
        After Ctrl-C with the curves that were done.

    Raises
    ------
    SpecError
        As :func:`rbridge.analysis.derive.derive`; or the model has no variance components.

    Notes
    -----
    The likelihood is the fit's own: restricted under REML. Computed here, without R.
    """
    snapshot = fit.snapshot
    wanted = read("\n".join(what), Vocabulary(snapshot)) if what else component_quantities(snapshot)
    if not theta(snapshot).names:
        raise SpecError("the model has no variance components: there is nothing to profile")
    check_share(level)
    found = profiles(snapshot, wanted, level, n_jobs, progress)
    for curve in found.values():
        if isinstance(curve, RBridgeError):
            raise curve
    curves = {name: curve for name, curve in found.items() if isinstance(curve, Curve)}
    return Profile(curves, level, in_words(snapshot))
