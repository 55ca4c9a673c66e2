"""A page of HTML that needs nothing else: what the pages of suites and qualifications share."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: #fff; color: #1a1f24;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .75rem; color: #4a5560; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .25rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0; max-width: 60rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; max-width: 60rem; }
.verdict { padding: 1.1rem 1.4rem; border-radius: .5rem; border-left: .6rem solid; }
.verdict strong { display: block; font-size: 1.9rem; line-height: 1.2; }
.verdict.agree { background: #e3f4e7; border-color: #1b7a34; }
.verdict.agree strong { color: #14602a; }
.verdict.disagree { background: #fde8e6; border-color: #b3261e; }
.verdict.disagree strong { color: #8f1d17; }
.verdict.unchecked { background: #fdf1d8; border-color: #9a6400; }
.verdict.unchecked strong { color: #7a4f00; }
.about { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem;
  margin: .5rem 0; font-size: .9rem; }
.about dt { color: #4a5560; }
.about dd { margin: 0; overflow-wrap: anywhere; }
details { border: 1px solid #d5dbe1; border-radius: .4rem; margin: .4rem 0; }
summary { cursor: pointer; padding: .45rem .8rem; display: flex; gap: .6rem;
  align-items: baseline; }
summary .title { flex: 1; min-width: 0; overflow-wrap: anywhere; }
summary .count { color: #4a5560; font-size: .9rem; white-space: nowrap; }
.inside { padding: 0 .8rem .7rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .9rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid #e6eaee; text-align: left;
  vertical-align: top; }
thead th { border-bottom: 2px solid #b9c2ca; font-weight: 600; }
td.short { white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { text-align: right; }
.mark { display: inline-block; padding: 0 .5rem; border-radius: 1rem; font-size: .85rem;
  white-space: nowrap; border: 1px solid; }
.mark.agree { color: #14602a; background: #e3f4e7; }
.mark.disagree { color: #8f1d17; background: #fde8e6; font-weight: 700; }
.mark.unchecked { color: #7a4f00; background: #fdf1d8; font-weight: 700; }
.mark.skipped { color: #4a5560; background: #eef1f4; }
footer { margin-top: 2.5rem; padding-top: .8rem; border-top: 1px solid #d5dbe1; font-size: .9rem; }
@media (max-width: 50rem) { body { padding: .8rem; } summary { flex-wrap: wrap; } }
@media print { details { break-inside: avoid; } }
"""


def document(title: str, body: str, style: str = "", script: str = "") -> str:
    """The whole page; ``style`` is what it has beyond :data:`STYLE`."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head>"
    )
    run = f"<script>{script}</script>" if script else ""
    return f"{head}<body>{body}{run}</body></html>\n"


def about_list(about: Mapping[str, str]) -> str:
    """Names and what they are, as a list of terms."""
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in about.items())
    return f'<dl class="about">{rows}</dl>'
