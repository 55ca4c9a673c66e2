"""Where output goes: files that can be written, looked at before the work is done, not after."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import Any

import click

from ..errors import SpecError
from ..files import is_regular


class OutputFile(click.Path):
    """A file to write; refused on the command line already where it cannot be."""

    def __init__(self) -> None:
        super().__init__(dir_okay=True, path_type=Path)  # the refusal here says more

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Path = super().convert(value, param, ctx)
        check_file(path, option_of(param))
        return path


class OutputFolder(click.Path):
    """A folder to write to, made where there is none; refused where it cannot be."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Path = super().convert(value, param, ctx)
        check_folder(path, option_of(param))
        return path


def option_of(param: click.Parameter | None) -> str:
    """The option as it may be written, for messages."""
    return param.opts[0] if param is not None else "-o"


def check_file(output: Path, option: str = "-o") -> None:
    """Refuse a file that could not be written.

    Raises
    ------
    SpecError
    """
    target = os.path.realpath(output)
    if os.path.isdir(target):
        raise SpecError(f"{option} {output}: is a folder")
    if os.path.exists(target) and not is_regular(target):  # a pipe or device: not opened twice
        if not os.access(target, os.W_OK):
            raise SpecError(f"{option} {output}: cannot be written to")
        return
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise SpecError(f"{option} {output}: there is no folder {folder}")
    _try(folder, f"{option} {output}")


def check_folder(output: Path, option: str = "-o") -> None:
    """Refuse a folder that could not be made or written to; nothing is made.

    Raises
    ------
    SpecError
    """
    target = os.path.realpath(output)
    while not os.path.lexists(target):
        target = os.path.dirname(target)
    if not os.path.isdir(target):
        raise SpecError(f"{option} {output}: {target} is no folder")
    _try(target, f"{option} {output}")


def _try(folder: str, asked: str) -> None:
    """Make a file there and remove it: what permissions say is not all that can be wrong."""
    probe = os.path.join(folder, f".rbridge-{secrets.token_hex(8)}")
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(probe)
    except OSError as error:
        why = error.strerror or errno.errorcode.get(error.errno or 0, "unknown")
        raise SpecError(f"{asked}: {folder} cannot be written to: {why}") from None
