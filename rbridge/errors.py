"""One root for every error and one family per stage of the data flow."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

_OURS = (os.path.join(os.path.dirname(__file__), ""), contextlib.__file__, functools.__file__)


class RBridgeError(Exception):
    """Root of every error that rbridge raises on purpose."""


class SpecError(RBridgeError, ValueError):
    """The model as written cannot be: a formula, a structure, an argument."""


class FormulaError(SpecError):
    """A formula that cannot be read, or that calls something outside the allowed list."""

    def __init__(self, message: str, text: str = "", position: int | None = None) -> None:
        if text and position is not None:
            message = f"{message}\n    {text}\n    {' ' * position}^"
        super().__init__(message)


class StructureError(SpecError):
    """A pdMat, corStruct or varFunc that does not exist or cannot be built so."""


class SuiteError(SpecError):
    """A suite file that cannot be: one line a problem, ``file:line: what``."""


class DataError(RBridgeError, ValueError):
    """The data cannot serve the model; the message names the column."""


class FileError(RBridgeError, OSError):
    """A file that cannot be written or read; the message has its path as given."""


class NoFileError(FileError, FileNotFoundError):
    """There is no such file, or no folder to write it in."""


class InstallationError(RBridgeError, RuntimeError):
    """Something that rbridge needs is not installed, or does not fit what is."""


class RNotFoundError(InstallationError):
    """No usable R (or no rpy2 that fits it)."""


class RPackageError(InstallationError):
    """An R package is missing, broken or too old."""


class SessionError(RBridgeError, RuntimeError):
    """R cannot be called from here: after a fork, or after it has ended."""


class TimeLimitError(SessionError):
    """Longer than the limit of :func:`rbridge.set_isolation`, or of a model of a suite."""


class RError(RBridgeError):
    """An error that R raised.

    Attributes
    ----------
    message, call : str
        R's own message and the name of the function that raised it.
    r_class : tuple of str
        The class of R's condition object.
    traceback, warnings : tuple of str
        The R functions on the stack, outermost first; the warnings before the error.
    """

    def __init__(
        self,
        message: str,
        call: str = "",
        r_class: Sequence[str] = (),
        traceback: Sequence[str] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        super().__init__(f"R: {message}" + (f" (in {call})" if call else ""))
        self.message = message
        self.call = call
        self.r_class = tuple(r_class)
        self.traceback = tuple(traceback)
        self.warnings = tuple(warnings)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross processes: by what they were made of, not by their text."""
        parts = (self.message, self.call, self.r_class, self.traceback, self.warnings)
        return type(self), parts


class FitError(RError):
    """nlme could not fit the model."""


class ApVarError(RBridgeError):
    """nlme gave no approximate covariance matrix; the message has its reason."""


class LmeInfoUnsupported(RBridgeError):
    """lmeInfo does not support this model, or is known to be wrong for it."""


class SnapshotError(RBridgeError, ValueError):
    """A snapshot file or object that does not hold what it should."""


class RecordError(RBridgeError, ValueError):
    """A record file that does not hold what it should."""


class InformationError(RBridgeError, ArithmeticError):
    """The information matrix has no inverse; the message names the parameters."""


class RWarning(UserWarning):
    """A warning that R gave."""


class ConvergenceWarning(RWarning):
    """nlme returned a fit that has not converged."""


def warn(text: str, category: type[Warning]) -> None:
    """Warn of the user's line: the innermost that is not of this package."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
