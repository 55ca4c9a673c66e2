"""What notebooks show: whole, escaped, and without anything fetched from elsewhere."""

from html.parser import HTMLParser

import pytest

from rbridge.show.report import Report
from tests.support.fits import crosschecked, replicates, shown

NESTED, GLS = shown("nested"), shown("gls")

SHOWN = {
    "fit": lambda: NESTED,
    "summary": lambda: NESTED.summary(),
    "covariance": lambda: NESTED.varcomp_vcov(),
    "cross-check": lambda: crosschecked(NESTED),
    "bootstrap": lambda: replicates(GLS),
}


class Balanced(HTMLParser):
    """Every tag that opens closes, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "img", "iframe") and "src" not in dict(attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("name", SHOWN)
def test_html_is_whole_and_needs_nothing_from_elsewhere(name):
    text = SHOWN[name]()._repr_html_()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and len(parser.texts) > 5
    assert "http" not in text and "url(" not in text
    assert "color" not in text  # so that dark notebooks stay dark


def test_names_are_escaped_and_matrices_numbered():
    vcov = NESTED.varcomp_vcov()
    assert '<th scope="col">[6]</th>' in vcov._repr_html_()
    frame = vcov.to_frame().rename(index={vcov.estimates.index[0]: "<script>&"})
    assert "&lt;script&gt;&amp;</th>" in Report("title", [("", frame)]).to_html()
