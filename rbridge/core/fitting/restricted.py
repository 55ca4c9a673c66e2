"""REML where σ is fixed: nlme's ``lme`` climbs another function there, so its end is no maximum."""

from __future__ import annotations

from dataclasses import replace

from ..snapshot import ApVarUnavailable, FitSnapshot
from .maximum import maximise
from .native import completed

NOT_REML = (
    "nlme's lme does not maximise the restricted likelihood where sigma is fixed: the estimates "
    "are those at the maximum found here, and R's own differ"
)


def restricted(snapshot: FitSnapshot) -> FitSnapshot:
    """The snapshot at the maximum of the restricted likelihood, with all that follows from it.

    ``log_lik`` stays R's, which is of R's own estimates and incomplete.

    Raises
    ------
    InformationError
        There is no likelihood at nlme's estimates, where the search starts.

    Notes
    -----
    Harville (1977): ℓ_R = −½ (log|V| + log|X'V⁻¹X| + y'Py), σ² held. nlme profiles with N − p in
    place of σ² held, and so moves every other variance.
    """
    found = completed(snapshot, maximise(snapshot))
    warned = (*snapshot.warnings, NOT_REML)
    unavailable = ApVarUnavailable("nlme's is of its own estimates, no REML ones: sigma is fixed")
    return replace(found, warnings=warned, apvar=unavailable, log_lik=snapshot.log_lik)
