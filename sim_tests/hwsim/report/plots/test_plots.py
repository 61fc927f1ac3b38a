"""Plots as HTML: their marks, their details, their colours and their places."""

from __future__ import annotations

import json
import re

import pytest

from hwsim.report.plots.bars import Bar, Bars
from hwsim.report.plots.detail import Detail, Details
from hwsim.report.plots.heat import Heat, HeatCell, HeatPanel
from hwsim.report.plots.scatter import HEIGHT, WIDTH, Level, Panel, Point, Scatter, Series


def detail(name):
    return Detail(name, [name, "second line"], ["a", "b"], [[name, 1234]])


def marks(html):
    return [int(number) for number in re.findall(r'data-detail="(\d+)"', html)]


def heat(factors):
    cells = [[HeatCell(str(f), f, detail(str(f))) for f in row] for row in factors]
    panel = HeatPanel("title", ["r"] * len(cells), ["c"] * len(cells[0]), cells)
    return Heat([panel], "row", "column", "low", "high", "#ff0000", "#0000ff", 4.0)


def test_each_detail_is_there_once_whoever_refers_to_it():
    details, shared = Details(), detail("</script><b>")
    assert [details.number(each) for each in (shared, detail("x"), shared)] == [0, 1, 0]
    assert len(details) == 2
    text = details.json()
    assert "<" not in text
    document = json.loads(text)
    assert document["columns"] == [["a", "b"]]
    assert document["details"][0] == {
        "title": "</script><b>", "says": "</script><b>\nsecond line", "columns": 0,
        "rows": [["</script><b>", "1,234"]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("factor", "colour"),
    [(1.0, "#ffffff"), (4.0, "#0000ff"), (100.0, "#0000ff"), (0.25, "#ff0000"), (0.5, "#ff8080"),
     (None, "#dddddd")],
)  # fmt: skip
def test_colours_are_full_at_both_ends_and_white_where_none_is_ahead(factor, colour):
    assert heat([[1.0]]).colour(factor) == colour


def test_a_cell_is_a_button_with_its_value_and_text_that_can_be_read():
    details = Details()
    html = heat([[4.0, 1.0], [0.25, None]]).html(details)
    assert marks(html) == [0, 1, 2, 3]
    assert 'style="background:#0000ff;color:#fff">4.0</button>' in html
    assert 'style="background:#ffffff;color:#000">1.0</button>' in html


def test_bars_have_lengths_in_the_same_scale():
    details = Details()
    bars = [
        Bar("<long>", {"x": 150.0, "y": 50.0}, detail("long")),
        Bar("short", {"x": 50.0, "y": 0.0}, detail("short")),
    ]
    html = Bars(bars, "cycles", {"x": "#111111", "y": "#222222"}).html(details)
    assert re.findall(r"width:([\d.]+)%", html) == ["75.00", "25.00", "25.00"]
    assert "<span>200 cycles</span>" in html
    assert 'data-part="x: 150 cycles"' in html
    assert "&lt;long&gt;" in html
    assert "<long>" not in html


def scatter(points, line=(), **panel):
    series = Series("one", "#123456", points, [points[number] for number in line])
    return Scatter([Panel("title", "x", "y", [series], **panel)])


def test_points_lie_where_their_values_say():
    points = [Point(10.0, 0.0, detail("a")), Point(100.0, 0.5, detail("b")),
              Point(1000.0, 1.0, detail("c")), Point(100.0, 2.0, detail("outside"))]  # fmt: skip
    html = scatter(points, line=[0, 1, 2]).html(Details())
    found = [tuple(map(float, each)) for each in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', html)]
    assert marks(html) == [0, 1, 2]
    (left, low), middle, (right, high) = found
    assert 0 < left < right < WIDTH
    assert 0 < high < low < HEIGHT
    # x is logarithmic, y is not
    assert middle == (pytest.approx((left + right) / 2, abs=0.1), pytest.approx((low + high) / 2))
    line = re.search(r'polyline points="([^"]*)"', html)
    assert line is not None
    assert len(line[1].split()) == 3


def test_labels_do_not_lie_on_each_other():
    points = [Point(100.0 + n, 0.5, detail(str(n)), label=f"{n}x") for n in range(8)]
    html = scatter(points).html(Details())
    places = [
        (float(x), float(y), len(text))
        for x, y, text in re.findall(r'<text x="([\d.]+)" y="([\d.]+)">(\d+x)</text>', html)
    ]
    assert 1 <= len(places) < len(points)
    for number, (x, y, letters) in enumerate(places):
        for other_x, other_y, other in places[:number]:
            apart = x + 6 * letters <= other_x or other_x + 6 * other <= x
            assert apart or abs(y - other_y) >= 11


@pytest.mark.parametrize(
    ("low", "high"), [(0.01, 1000), (1, 9e9), (665_100, 665_100), (40, 47), (1e-6, 2e-6)]
)
def test_axes_have_ticks_whatever_the_range(low, high):
    points = [Point(low, 0.2, detail("a")), Point(high, 0.4, detail("b"))]
    html = scatter(points, levels=[Level(0.3, "bound")]).html(Details())
    below = re.findall(r'<text x="[\d.]+" y="274" class="middle">([^<]*)<', html)
    assert 1 <= len(below) <= 9
    assert len(set(below)) == len(below)
    assert "bound" in html
