"""Profile likelihood of one quantity: the likelihood at its best for every value held fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from ...errors import SpecError
from ...options import check_share
from ..arrays import Array
from ..fitting.maximum import Maximum, maximise
from ..quantities.quantity import Quantity
from ..snapshot import FitSnapshot
from .climb import Hill
from .nlme import bounded, unbounded
from .reduced import without_effect

_STEP = 0.6  # in ζ, between the points of a curve
_LONGEST = 5.0  # step on a logarithmic scale
_WIDEST = 9.0  # standard error on such a scale
_MOST_POINTS = 30  # on either side
_FAILURES = 6  # to hold a value, each a quarter of a step ahead
_CLOSE = 1e-3  # in ζ, to the end of an interval; interpolation does the rest
_BOUNDS = {
    "variance": (0.0, np.inf),
    "scale": (0.0, np.inf),
    "correlation": (-1.0, 1.0),
    "proportion": (0.0, 1.0),
}
_ALMOST_ONE = {"correlation": 9.0, "proportion": 18.0}  # on Fisher's z scale, on the logit scale


@dataclass(frozen=True)
class Curve:
    """The profile of one quantity.

    Attributes
    ----------
    kind : str
        Range of the quantity, in the words of ``Theta.kinds``.
    estimate : float
        At the maximum of the likelihood.
    value, zeta, log_lik : (k,) arrays
        Values held, in rising order; ζ = ±√(2(ℓ_max − ℓ)), signed as value − estimate.
    lower, upper : float
        Ends of the interval at ``level``; the end of the quantity's range where the likelihood
        does not fall far enough.
    level : float
    note : str
        Which end is no crossing, and why; empty for a regular interval.
    """

    kind: str
    estimate: float
    value: Array
    zeta: Array
    log_lik: Array
    lower: float
    upper: float
    level: float
    note: str = ""


class Profiler:
    """Profiles of a fit's quantities, from one maximum of its likelihood.

    Raises
    ------
    InformationError
        There is no likelihood at the estimates.
    """

    def __init__(self, snapshot: FitSnapshot) -> None:
        self._snapshot = snapshot
        self._hill = Hill(snapshot)
        self.maximum: Maximum = self._hill.maximum
        self._without: dict[tuple[int, int], float] = {}

    def curve(self, wanted: Quantity, level: float = 0.95) -> Curve:
        """Profile one quantity as far as an interval at ``level`` needs.

        Raises
        ------
        SpecError
            ``level`` is not between 0 and 1; the quantity is at the end of its range, or depends
            on the fixed effects.

        Notes
        -----
        {x : 2(ℓ_max − max_{θ: g(θ) = x} ℓ(θ)) ≤ χ²_{1, level}}. The likelihood is the fit's own:
        restricted under REML.

        References
        ----------
        Bates, Mächler, Bolker and Walker (2015), Journal of Statistical Software 67(1), 5.1;
        Venzon and Moolgavkar (1988), Applied Statistics 37, 87–94.
        """
        check_share(level)
        return self._trace(wanted).curve(level)

    def zeta(self, wanted: Quantity, value: float) -> float:
        """±√(2(ℓ_max − ℓ)) with the quantity held at a value inside its range: a normal deviate
        under that hypothesis; nan where it cannot be held."""
        return self._trace(wanted).zeta(value)

    def _trace(self, wanted: Quantity) -> _Trace:
        floor = min((self._zeta_without(effect) for effect in wanted.effects), default=np.inf)
        return _Trace(self._hill, wanted, floor)

    def _zeta_without(self, effect: tuple[int, int]) -> float:
        """|ζ| of the model without a random effect: its variance at exactly zero."""
        if effect not in self._without:
            lower = maximise(without_effect(self._snapshot, *effect)).log_lik
            self._without[effect] = float(np.sqrt(max(0.0, 2 * (self.maximum.log_lik - lower))))
        return self._without[effect]


class _Trace:
    """The points of one curve, by the value on the scale without bounds.

    ``floor`` is |ζ| of the models in which the quantity is zero, or (a correlation) may have any
    value at all.
    """

    def __init__(self, hill: Hill, wanted: Quantity, floor: float) -> None:
        self._hill, self._wanted = hill, wanted
        sides = (-1, 1) if wanted.kind == "correlation" else (-1,)
        self._floor = {side: floor if side in sides else np.inf for side in (-1, 1)}
        self._estimate, error = hill.quantity(wanted)
        self._centre, slope = self._line(self._estimate)
        self._se = min(error * abs(slope), _WIDEST if wanted.kind in _BOUNDS else np.inf)
        if not np.isfinite(self._centre) or not 0 < self._se < np.inf:
            raise SpecError("no profile: on its bound, or no function of the components alone")
        self._points = {self._centre: (0.0, hill.top)}

    def _line(self, x: float) -> tuple[float, float]:
        try:
            with np.errstate(all="ignore"):
                return unbounded(self._wanted.kind, x)
        except ZeroDivisionError:
            return np.inf, np.inf  # on the bound itself

    def curve(self, level: float) -> Curve:
        z = float(special.ndtri((1 + level) / 2))
        ends, notes = [], []
        for side in (-1, 1):
            end, note = self._end(side, z)
            ends.append(end)
            notes += [note] if note else []
        value, zeta = self._curve(z)
        log_lik = self._hill.maximum.log_lik - zeta**2 / 2
        where = (self._wanted.kind, self._estimate)
        return Curve(*where, value, zeta, log_lik, ends[0], ends[1], level, "; ".join(notes))

    def zeta(self, x: float) -> float:
        """ζ at one value."""
        w = self._line(x)[0]
        side = 1 if w > self._centre else -1
        found = self._zeta(w, side, self._points[self._centre][1])
        return float(np.clip(found, -self._floor[-1], self._floor[1]))

    def _curve(self, z: float) -> tuple[Array, Array]:
        """Values and ζ in rising order, down to the floor and with the bound where it is met."""
        line = np.array(sorted(self._points))
        zeta = np.array([self._points[w][0] for w in line])
        value = bounded(self._wanted.kind, line)
        low, high = self._floor[-1], self._floor[1]
        zeta = np.clip(zeta, -low, high)
        if low < z:
            value, zeta = np.append(self._bounds()[0], value), np.append(-low, zeta)
        if high < z:
            value, zeta = np.append(value, self._bounds()[1]), np.append(zeta, high)
        return value, zeta

    def _zeta(self, w: float, side: int, start: Array) -> float:
        """ζ where the quantity has the value ``w`` on its line; nan where it cannot be held."""

        value = float(bounded(self._wanted.kind, np.array(w)))
        unit = self._se / self._line(value)[1]
        psi, log_lik = self._hill.at(self._wanted, value, unit, start)
        if np.isnan(log_lik):
            return np.nan
        zeta = side * np.sqrt(max(0.0, 2 * (self._hill.maximum.log_lik - log_lik)))
        self._points[w] = (zeta, psi)
        return float(zeta)

    def _end(self, side: int, z: float) -> tuple[float, str]:
        """Where ζ = ±z on one side, or the end of the range with a note."""
        outermost, floor = self._outermost(side), self._floor[side]
        inner, step, failed = self._centre, self._se * _STEP, 0
        for _ in range(_MOST_POINTS):
            zeta_in, start = self._points[inner]
            w = inner + side * step
            if side * (w - outermost) > 0 or (floor < z and abs(zeta_in) >= 0.95 * floor):
                break
            zeta = self._zeta(w, side, start)
            if np.isnan(zeta):
                step, failed = step / 4, failed + 1
                if failed > _FAILURES:
                    return self._lost(inner, side)
                continue
            if abs(zeta) >= z and floor >= z:
                return self._crossing(inner, w, side, z), ""
            step *= np.clip(_STEP / max(abs(zeta - zeta_in), 1e-3), 0.3, 3.0)
            step = min(step, _LONGEST) if np.isfinite(outermost) else step
            inner = w
        return self._bound(side)

    def _outermost(self, side: int) -> float:
        """Where on the line the search ends."""
        if self._wanted.kind in _ALMOST_ONE:
            return side * max(_ALMOST_ONE[self._wanted.kind], side * self._centre + 1)
        if self._wanted.kind in _BOUNDS:  # from an estimate of zero the way is long
            return self._centre + side * (20 + 10 * self._se)
        return side * np.inf

    def _bounds(self) -> tuple[float, float]:
        return _BOUNDS.get(self._wanted.kind, (-np.inf, np.inf))

    def _bound(self, side: int) -> tuple[float, str]:
        bound = self._bounds()[side > 0]
        which, why = "lower" if side < 0 else "upper", "the likelihood does not fall far enough"
        if self._wanted.kind == "correlation" and np.isfinite(self._floor[side]):
            why += ", be it that a variance is zero"
        return bound, f"{which} end is the bound {bound:g}: {why}"

    def _lost(self, w: float, side: int) -> tuple[float, str]:
        end = float(bounded(self._wanted.kind, np.array(w)))
        which = "lower" if side < 0 else "upper"
        return end, f"{which} end: no model can be found beyond {end:.4g}"

    def _crossing(self, inner: float, outer: float, side: int, z: float) -> float:
        """The value where |ζ| = z, between two points on either side of it."""
        for _ in range(8):
            w, margin = self._interpolated(side, z), 0.02 * (outer - inner)
            low, high = sorted((inner + margin, outer - margin))
            w = min(max(w, low), high)
            zeta = abs(self._zeta(w, side, self._points[inner][1]))
            if np.isnan(zeta) or abs(zeta - z) < _CLOSE:
                break
            inner, outer = (w, outer) if zeta < z else (inner, w)
        return float(bounded(self._wanted.kind, np.array(self._interpolated(side, z))))

    def _interpolated(self, side: int, z: float) -> float:
        """The line's value where |ζ| = z, by monotone cubics through the points of one side."""
        from scipy.interpolate import PchipInterpolator  # late: import rbridge must stay quick

        found = {abs(p[0]): w for w, p in self._points.items() if side * (w - self._centre) >= 0}
        zeta = sorted(found)
        return float(PchipInterpolator(zeta, [found[x] for x in zeta])(z))
