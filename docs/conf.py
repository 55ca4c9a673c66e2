"""Sphinx: the site (`make docs`). Guides and gallery are docs/*.md, the API comes from docstrings.

A page with pictures runs as it is built: where the last line of a block draws one, it is shown
below the block, as in a notebook. What pages print is in them, and held by tests/test_docs.py.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from sphinx.errors import ExtensionError  # noqa: E402
from sphinx.ext.napoleon.docstring import NumpyDocstring  # noqa: E402

import rbridge  # noqa: E402

project, author, copyright = "rbridge", "the rbridge developers", "the rbridge developers"
version = release = rbridge.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_pictures"]
nitpicky = False

myst_heading_anchors = 3
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "inherited-members": "DataFrame, dict, object"}
copybutton_selector = "div:not(.highlight-text) > div.highlight pre"
copybutton_prompt_text = "$ "

html_theme = "furo"
html_title = f"rbridge {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


# --- pictures -----------------------------------------------------------------------------------


def draws(code: str) -> bool:
    """Whether the last statement of a block is a call that gives a picture."""
    last = ast.parse(code).body[-1]
    call = last.value if isinstance(last, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    return call.func.attr.startswith("plot") or call.func.attr == "pairs"


def run(code: str, names: dict[str, object]) -> object:
    """The value of the last statement, if it is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if draws(code) else None
    exec(compile(tree, "page", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "page", "eval"), names)


def with_pictures(page: str, text: str) -> str:
    """The text of a page with its pictures, made by its own code."""
    blocks = list(BLOCK.finditer(text))
    last = max((k for k, block in enumerate(blocks) if draws(block[1])), default=-1)
    names: dict[str, object] = {"__name__": "__docs__"}
    parts, end = [], 0
    for k, block in enumerate(blocks[: last + 1]):
        figure = run(block[1], names)
        parts.append(text[end : block.end()])
        end = block.end()
        if figure is not None:
            name = f"{Path(page).name}-{k}.svg"
            figure.savefig(HERE / "_pictures" / name, facecolor="white")
            plt.close("all")
            said = HEADING.findall(text[:end])[-1].replace("`", "")
            parts.append(f"\n\n![{said}](_pictures/{name})\n")
    return "".join([*parts, text[end:]])


def read(app: object, page: str, source: list[str]) -> None:
    if not any(draws(block[1]) for block in BLOCK.finditer(source[0])):
        return
    (HERE / "_pictures").mkdir(exist_ok=True)
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                source[0] = with_pictures(page, source[0])
        finally:
            os.chdir(before)


# --- the API is whole ---------------------------------------------------------------------------


def members(name: str) -> list[str]:
    """Public methods and properties of a class, inherited ones too."""
    found = inspect.classify_class_attrs(getattr(rbridge, name))
    own = [m for m in found if m.defining_class.__module__.split(".")[0] == "rbridge"]
    public = [m for m in own if not m.name.startswith("_")]
    cls = getattr(rbridge, name)
    fields = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    return [f"rbridge.{name}.{m.name}" for m in public if m.name not in fields and m.kind != "data"]


def missing(app: object, environment: object) -> None:
    """Stop where a public name is on no page."""
    documented = set(environment.get_domain("py").objects)
    classes = [name for name in rbridge.__all__ if inspect.isclass(getattr(rbridge, name))]
    wanted = {f"rbridge.{name}" for name in rbridge.__all__}
    wanted |= {member for name in classes for member in members(name)}
    if absent := sorted(wanted - documented):
        raise ExtensionError(f"docs/api has no {', '.join(absent)}")


def setup(app: object) -> None:
    # napoleon takes the docstring of a property for "type: description"
    NumpyDocstring._parse_attribute_docstring = lambda self: self._consume_to_end()
    app.connect("source-read", read)
    app.connect("env-check-consistency", missing)
