"""A page in a real browser: it answers, it is legible, and it lets nothing in."""

from __future__ import annotations

import pytest

from hwsim.report.page import Report
from hwsim.report.plots.bars import Bar, Bars
from hwsim.report.plots.detail import Detail
from hwsim.report.plots.heat import Heat, HeatCell, HeatPanel
from hwsim.report.plots.scatter import Panel, Point, Scatter, Series

WIDTHS = (1280, 400)
#: Pixels of letters, at the least.
LEGIBLE = 9.0
TIP = "document.getElementById('tip')"


def detail(name):
    says = [f"{name} on array_8x8", "<b>12</b> us & more"]
    return Detail(f"all of {name}", says, ["design", "us"], [[name, 12.5], ["<i>other</i>", 1234]])


@pytest.fixture
def page(tmp_path):
    """A report with a plot of each kind, and tables wider than a phone."""
    report = Report("A report")
    report.text("Words " * 80)
    names = ["a_model_of_many_letters_85x", "another_model_of_many_letters"]
    cells = [[HeatCell(f"{n}x", float(n), detail(f"cell{n}")) for n in range(1, 7)]] * 4
    panels = [
        HeatPanel(f"panel {n}", list("abcd"), [str(n) for n in range(6)], cells) for n in range(3)
    ]
    heat = Heat(panels, "row", "column", "low", "high", "#d55e00", "#0072b2")
    points = [Point(10.0**n, n / 5, detail(f"point{n}"), label=f"{n}x") for n in range(1, 5)]
    series = [Series("line", "#0072b2", points, points)]
    bars = [Bar(name, {"mac": 3.0, "idle": 1.0}, detail(name)) for name in names]
    for number, plot in enumerate(
        (heat, Scatter([Panel("", "cycles", "accuracy", series)]),
         Bars(bars, "cycles", {"mac": "#0072b2", "idle": "#d55e00"}))
    ):  # fmt: skip
        path = tmp_path / f"plot{number}.png"
        path.write_bytes(b"")
        report.plot(plot, path, f"Plot {number}")
    report.table([f"a column {n}" for n in range(20)], [["x" * 30, *range(19)]])
    return report.write(tmp_path)[1]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("mark", "says", "title"),
    [
        (".heat [data-detail]", "cell1 on array_8x8\n<b>12</b> us & more", "all of cell1"),
        ("svg [data-detail]", "point1 on array_8x8\n<b>12</b> us & more", "all of point1"),
        (
            ".bars i[data-part]",
            "a_model_of_many_letters_85x on array_8x8\n<b>12</b> us & more\nmac: 3 cycles",
            "all of a_model_of_many_letters_85x",
        ),
    ],
)
def test_the_pointer_says_what_a_mark_is_and_a_click_shows_its_table(
    chromium, page, width, mark, says, title
):
    chromium.open(page, width)
    assert chromium.value(f"{TIP}.hidden") is True
    chromium.move(mark)
    assert chromium.value(f"{TIP}.hidden") is False
    assert chromium.value(f"{TIP}.textContent") == says
    # it lies inside of the window
    inside = f"(() => {{const b = {TIP}.getBoundingClientRect();"
    inside += "return b.left >= 0 && b.right <= innerWidth && b.top >= 0 && b.bottom <= innerHeight"
    assert chromium.value(f"{inside}}})()") is True
    chromium.click(mark)
    figure = f"document.querySelector('{mark}').closest('figure').querySelector('.shown')"
    assert chromium.value(f"{figure}.querySelector('h3').textContent") == title
    cells = f"[...{figure}.querySelectorAll('tr')].map(r => [...r.cells].map(c => c.textContent))"
    head, _, other = chromium.value(cells)
    assert head == ["design", "us"]
    # texts are texts
    assert other == ["<i>other</i>", "1,234"]
    assert chromium.value(f"{figure}.querySelectorAll('i, b').length") == 0
    assert chromium.problems == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_and_nothing_is_small(chromium, page, width):
    chromium.open(page, width)
    assert chromium.value("document.documentElement.scrollWidth") <= width
    # letters of a drawing are as large as it is drawn
    smallest = chromium.value(
        "Math.min(...[...document.querySelectorAll('h1, p, td, th, button, span, svg text')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize) * (e.getScreenCTM && e.tagName == "
        "'text' ? e.ownerSVGElement.getScreenCTM().a : 1)))"
    )
    assert smallest >= LEGIBLE
    # what a finger must hit
    least = chromium.value(
        "Math.min(...[...document.querySelectorAll('button')]"
        ".map(b => b.getBoundingClientRect().height))"
    )
    assert least >= 20
    assert chromium.problems == []


def test_marks_answer_to_the_keyboard(chromium, page):
    chromium.open(page, WIDTHS[0])
    chromium.value("document.querySelector('svg [data-detail]').focus()")
    assert chromium.value(f"{TIP}.textContent").startswith("point1 on")
    for kind in ("keyDown", "keyUp"):
        chromium.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter")
    shown = "document.querySelectorAll('.shown')[1]"
    assert chromium.value(f"{shown}.querySelector('h3').textContent") == "all of point1"


def test_no_other_script_runs_and_nothing_is_loaded(chromium, page):
    """The policy, tried: what it refuses is an error of the console, and does nothing."""
    evil = (
        "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
        "<script src='https://example.org/x.js'></script><a href='javascript:window.ran = 3'>x</a>"
    )
    page.write_text(page.read_text().replace("<h1>", f"{evil}<h1>"))
    chromium.open(page, WIDTHS[0])
    chromium.value("document.querySelector('a').click()")
    assert chromium.value("window.ran === undefined") is True
    refused = [text for text in chromium.problems if "Content Security Policy" in text]
    assert len(refused) >= 3
    # the page's own still answers
    chromium.move(".heat [data-detail]")
    assert chromium.value(f"{TIP}.hidden") is False
