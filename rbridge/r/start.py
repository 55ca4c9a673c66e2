"""Start R inside this process and leave the process as it was: environment, signals, locale."""

from __future__ import annotations

import ctypes
import locale
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InstallationError, RNotFoundError
from .locate import r_home, temporary_folder
from .signals import leave_signals_to_others, same_handlers

# R reads these when it loads a module or looks for its own files, long after the start.
_KEPT = frozenset({"R_HOME", "R_SHARE_DIR", "R_INCLUDE_DIR", "R_DOC_DIR"})


def start() -> None:
    """Start R in the calling thread.

    Raises
    ------
    RNotFoundError, InstallationError
        R or rpy2 is missing, or the one does not fit the other.
    """
    home = r_home()
    temporary_folder().rmdir()
    leave_signals_to_others()
    with _same_environment(home), same_handlers(), _same_locale():
        _load_and_start()
    _limit_sleep()


def _load_and_start() -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rpy2 warns that R starts outside the main thread
            import rpy2.rinterface as ri
            from rpy2.rinterface_lib import embedded

            if not embedded.isinitialized():
                embedded.set_initoptions(("rbridge", "--quiet", "--no-save", "--no-restore"))
            ri.initr(interactive=False)
    except ModuleNotFoundError as error:
        message = f"rpy2 is not installed ({error}): install it with 'pip install rpy2-rinterface'"
        raise RNotFoundError(message) from error
    except Exception as error:
        raise InstallationError(_misfit(error)) from error


def _misfit(error: Exception) -> str:
    what = f"rpy2 cannot load R ({type(error).__name__}: {error})"
    if "R_getVar" in str(error):  # new in R 4.5, and used by rpy2-rinterface from 3.6.6 on
        return (
            f"{what}. This rpy2 was built for R 4.5 or newer and the R here is older: "
            "pip install 'rpy2-rinterface<=3.6.5', or install R 4.5"
        )
    return (
        f"{what}. rpy2 must be built for the R that is installed: "
        "pip install --force-reinstall --no-binary :all: rpy2-rinterface"
    )


def _limit_sleep() -> None:
    """Let Sys.sleep look for Ctrl-C every tenth of a second."""
    from rpy2.rinterface_lib import openrlib

    try:
        library = ctypes.CDLL(str(Path(openrlib.R_HOME) / "lib" / "libR.so"))
        ctypes.c_int.in_dll(library, "R_wait_usec").value = 100_000
    except (OSError, ValueError):
        pass  # another system: a sleep then ends before it sees the interrupt


# --- the process stays what it was ------------------------------------------------------------


@contextmanager
def _same_locale() -> Iterator[None]:
    """R sets every category from the environment; Python's dates and numbers must not follow."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@contextmanager
def _same_environment(home: Path) -> Iterator[None]:
    """Start R under rbridge's settings; take back all it adds but where its files are."""
    before, before_c = dict(os.environ), _c_environment()
    os.environ.update(startup_variables(home))
    try:
        yield
    finally:
        for name in set(os.environ) - set(before) - _KEPT:
            del os.environ[name]
        os.environ.update(before)
        for name in set(_c_environment()) - set(before_c) - _KEPT:
            os.unsetenv(name)


def startup_variables(home: Path) -> dict[str, str]:
    """What R and the R that rpy2 asks for paths are to see while starting.

    A profile may print, quit or change options, and an .Renviron in the working directory
    belongs to the data's folder, not to the analysis: neither is read unless named.
    """
    own = Path(os.path.expanduser("~/.Renviron"))  # no error where there is no home
    profile = os.environ.get("RBRIDGE_R_PROFILE", os.devnull)
    environ = os.environ.get("R_ENVIRON_USER", str(own) if own.is_file() else os.devnull)
    # RHOME is Rscript's word for R_HOME: without it, it runs the R it was built with.
    homes = {"R_HOME": str(home), "RHOME": str(home)}
    # Empty means R's own choice: utils cannot be loaded any more once the environment is back.
    packages = {"R_DEFAULT_PACKAGES": ""}
    return {**homes, **packages, "R_PROFILE_USER": profile, "R_ENVIRON_USER": environ}


def _c_environment() -> dict[str, str]:
    """The process's environment as C has it: R changes it behind os.environ."""
    try:
        array = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    except (OSError, ValueError):
        return dict(os.environ)
    found, i = {}, 0
    while array and (entry := array[i]) is not None:
        name, _, value = os.fsdecode(entry).partition("=")
        found[name] = value
        i += 1
    return found


# --- the stack --------------------------------------------------------------------------------


def stack_bounds() -> tuple[int, int] | None:
    """Upper end and size in bytes of the calling thread's stack, where glibc tells."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "pthread_getattr_np"):
        return None
    attributes = ctypes.create_string_buffer(64)
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    libc.pthread_self.restype = ctypes.c_void_p
    libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes)
    libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    libc.pthread_attr_destroy(attributes)
    return (address.value or 0) + size.value, size.value


@contextmanager
def checked_stack(bounds: tuple[int, int] | None) -> Iterator[None]:
    """R's own stack check for this thread; off again afterwards, for other users of rpy2."""
    from rpy2.rinterface_lib import openrlib

    if bounds is None:
        yield
        return
    rlib, cast = openrlib.rlib, openrlib.ffi.cast
    before = rlib.R_CStackStart, rlib.R_CStackLimit
    rlib.R_CStackStart = cast("uintptr_t", bounds[0])
    rlib.R_CStackLimit = cast("uintptr_t", int(bounds[1] * 0.9))
    try:
        yield
    finally:
        rlib.R_CStackStart, rlib.R_CStackLimit = before
