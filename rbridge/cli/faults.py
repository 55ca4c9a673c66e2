"""What goes wrong, in one readable block, and the exit status that says so.

0: the numbers agree, or the work is done; 1: the numbers disagree, and nothing else;
2: anything that went wrong; 130: Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import click

from ..check.verdict import Verdict
from ..errors import RBridgeError

INTERRUPTED = 130  # as shells have it for Ctrl-C
_CLICK = (click.exceptions.Exit, click.ClickException)  # click words and counts them right


@contextmanager
def in_one_block() -> Iterator[None]:
    """Errors as one readable block and the exit status that is theirs."""
    try:
        yield
    except _CLICK:
        raise
    except (KeyboardInterrupt, click.Abort):
        _end("interrupted", INTERRUPTED)
    except RBridgeError as error:
        _end(f"{_error()}: {error}", Verdict.UNCHECKED)
    except OSError as error:
        _end(f"{_error()}: {_of_system(error)}", Verdict.UNCHECKED)
    except ModuleNotFoundError as error:
        _end(f"{_error()}: {_of_python(error)}", Verdict.UNCHECKED)
    except Exception as error:
        _end(f"{_error()}: {_of_ours(error)}", Verdict.UNCHECKED)


def _error() -> str:
    return click.style("error", fg="red", bold=True)


def _end(text: str, status: int) -> NoReturn:
    """Say it on standard error, whatever became of that, and go."""
    with suppress(OSError):
        if _debug():
            traceback.print_exc()
        click.echo(text, err=True)
    _close_quietly()
    raise click.exceptions.Exit(int(status)) from None


def _debug() -> bool:
    context = click.get_current_context(silent=True)
    if context is None:  # --help, or the options were not read yet
        return "--debug" in sys.argv[1:2]
    return bool(context.find_root().params.get("debug"))


def _close_quietly() -> None:
    """What a full disk or a closed pipe kept back would fail again when Python ends."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)


def _of_system(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return "the output was closed before all of it was written"
    where = f"{error.filename}: " if error.filename else "the output: "
    return f"{where}{error.strerror or error}"


def _of_python(error: ModuleNotFoundError) -> str:
    package = (error.name or "").partition(".")[0]
    if package in ("", "rbridge"):
        return _of_ours(error)
    return (
        f"Python's package {package} is missing (for {sys.executable}): install it, "
        f"with pip or as Debian's python3-{package}"
    )


def _of_ours(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    told = " ".join(str(error).split())
    return (
        f"a fault of rbridge itself: {type(error).__name__}: {told} ({place}); "
        "rbridge --debug … shows where"
    )
