from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import pytest

from hwsim.errors import InputError
from hwsim.report.cells import cell
from hwsim.report.page import Report, stream_csv, write_csv, write_json
from hwsim.report.plots.bars import Bar, Bars
from hwsim.report.plots.detail import Detail
from hwsim.system.files import write_text_atomic


def test_report_has_the_same_parts_in_both_forms(tmp_path):
    report = Report("A <title>")
    report.heading("Results & more")
    report.text("Some **bold** text.")
    report.table(["name", "cycles"], [["a|b", 12345], ["c", 0.5]])
    detail = Detail("all", ["a </script>"], ["a"], [[1]])
    bars = Bars([Bar("bar", {"part": 1.0}, detail)], "cycles", {"part": "#123456"})
    report.plot(bars, tmp_path / "p.png", "A picture")
    markdown, page = report.write(tmp_path)
    text, html = markdown.read_text(), page.read_text()
    assert "# A &lt;title>" in text
    assert "<h1>A &lt;title&gt;</h1>" in html
    assert "| a\\|b | 12,345 |" in text
    assert "<td>a|b</td><td>12,345</td>" in html
    assert "<strong>bold</strong>" in html
    assert "![A picture](p.png)" in text
    assert "<figcaption>A picture</figcaption>" in html
    assert html.count('data-detail="0"') == 1
    # the script is the one that the policy names, and what marks say ends no script
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert html.count("</script>") == 2


def test_a_page_without_plots_has_no_script(tmp_path):
    report = Report("Tables alone")
    report.table(["a"], [[1]])
    assert "<script" not in report.write(tmp_path)[1].read_text()


@pytest.mark.parametrize(
    ("value", "shown"), [(1234567, "1,234,567"), (0.12345, "0.123"), (True, "yes"), (None, "")]
)
def test_cell(value, shown):
    assert cell(value) == shown


def test_csv_has_the_union_of_columns(tmp_path):
    path = write_csv(tmp_path / "r.csv", [{"a": 1}, {"a": 2, "b": "x,y"}])
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"a": "1", "b": "0"}, {"a": "2", "b": "x,y"}]


def test_json_round_trip(tmp_path):
    document = {"cycles": 3, "nested": {"a": [1, 2]}}
    assert json.loads(write_json(tmp_path / "r.json", document).read_text()) == document


def test_unwritable_folder_is_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(InputError, match=r"x.json: cannot be written: "):
        write_text_atomic(blocked / "x.json", "{}")
    assert blocked.read_text() == "in the way"


EVIL = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<b>x</b>", "`<script>alert(1)",
    "``<script>`alert(1)", "[x](javascript:alert(1))", "<!-- x", "a\n<script>x</script>\n# head",
]  # fmt: skip


class Found(HTMLParser):
    """Tags of a page, and their attributes."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize("text", EVIL)
def test_texts_of_inputs_are_no_html(tmp_path, text):
    report = Report(text)
    report.heading(text)
    report.text(f"{text} and {text}")
    report.table([text, "b"], [[text, text]])
    markdown, page = report.write(tmp_path)
    found = Found()
    found.feed(page.read_text())
    allowed = {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "code", "a", "div",
        "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert set(found.tags) <= allowed
    assert not any(name.startswith("on") for name in found.attributes)
    # and should a link say so, nothing runs
    assert "default-src 'none'" in page.read_text()
    outside = re.sub(r"`[^`\n]*`", "", markdown.read_text())
    assert not re.search(r"<(script|img|b|!)", outside)


def test_cells_are_no_formulas(tmp_path):
    rows = [{"a": "=1+1", "b": -3, "c": "@x", "d": "plain", "e": -0.5}]
    (row,) = csv.DictReader(io.StringIO(write_csv(tmp_path / "x.csv", rows).read_text()))
    assert row == {"a": "'=1+1", "b": "-3", "c": "'@x", "d": "plain", "e": "-0.5"}
    stream_csv(tmp_path / "y.csv", list(rows[0]), rows)
    assert (tmp_path / "y.csv").read_text() == (tmp_path / "x.csv").read_text()
