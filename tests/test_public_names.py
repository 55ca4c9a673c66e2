"""A public name is never hidden by a module of its name, whatever is imported first."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import rbridge as rb
from tests.support.processes import says


def test_no_module_has_the_name_of_a_function() -> None:
    hidden = [name for name in rb.__all__ if importlib.util.find_spec(f"rbridge.{name}")]
    assert all(isinstance(getattr(rb, name), ModuleType) for name in hidden)


def test_what_a_pickle_imports_first_leaves_the_names_alone() -> None:
    """A worker that is sent an MMRM's results imports their module before any name is asked for."""
    code = """
        from rbridge.repeated import MmrmResults
        import rbridge as rb
        print(rb.mmrm.__name__)
    """
    assert says(code) == "mmrm"
