"""Pages of HTML, read as a browser does."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br"}


class Balanced(HTMLParser):
    """Fails where a tag is closed that was not opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.rows += tag == "tr"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def balanced(html: str) -> Balanced:
    """The page, read to its end."""
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return parser
