"""The fits that are looked at: by today's R, or as an R has left them with the package."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.resources import as_file, files

from ..api import gls, lme
from ..errors import InstallationError, RBridgeError, RNotFoundError, RPackageError
from ..repeated import load
from ..results import LmeResults
from .figures import PublishedFigures, PublishedFit

RECORDED = "recorded"  # the folder of the fits that are shipped
NO_R = (RNotFoundError, InstallationError, RPackageError)


class FitStore:
    """Fits by name, each made once; a failure is remembered, and R's absence for all.

    Parameters
    ----------
    figures : PublishedFigures
    make : callable
        From a :class:`PublishedFit` to its results.
    """

    def __init__(
        self, figures: PublishedFigures, make: Callable[[PublishedFit], LmeResults]
    ) -> None:
        self.figures = figures
        self._make = make
        self._found: dict[str, LmeResults | RBridgeError] = {}
        self._no_r: RBridgeError | None = None

    def __call__(self, name: str) -> LmeResults:
        """The fit of that name; raises what making it raised."""
        if name not in self._found:
            self._found[name] = self._made(name)
        found = self._found[name]
        if isinstance(found, RBridgeError):
            raise found
        return found

    def provenance(self, name: str) -> str:
        """A version of the R that made the fits; empty where there is no fit."""
        fits = (fit for fit in self._found.values() if isinstance(fit, LmeResults))
        return next((fit.provenance.get(name, "") for fit in fits), "")

    def _made(self, name: str) -> LmeResults | RBridgeError:
        if self._no_r is not None:
            return self._no_r
        try:
            return self._make(self.figures.fits[name])
        except NO_R as error:
            self._no_r = error
            return error
        except RBridgeError as error:
            return error


def live(figures: PublishedFigures) -> Callable[[PublishedFit], LmeResults]:
    """Fits by R; its warnings stay in the results."""

    def made(fit: PublishedFit) -> LmeResults:
        data = figures.frame(fit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if fit.random is None:
                return gls(fit.fixed, data, **fit.options)
            return lme(fit.fixed, data, fit.random, **fit.options)

    return made


def recorded(fit: PublishedFit) -> LmeResults:
    """A fit as the package ships it."""
    with as_file(files("rbridge.qualify") / RECORDED / f"{fit.name}.zip") as path:
        return load(path)
