"""Reports: the same text, tables and pictures as Markdown and as one self-contained HTML page.

Pictures of the page are plots (:mod:`hwsim.report.plots`): they are drawn of HTML and SVG, their
marks say what they are, and show their tables. In Markdown they are the PNG files beside it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hwsim.report.cells import cell
from hwsim.report.plots.detail import Details, Plot
from hwsim.system.files import staged, write_text_atomic

__all__ = ["Report", "stream_csv", "table_lines", "write_csv", "write_json"]

#: Style of a page, and the one script that it may have.
STYLE, SCRIPT = (
    (Path(__file__).parent / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js")
)
#: Nothing is loaded, and nothing runs but that script, which the browser knows by its digest.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; script-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
)
#: Where a piece of HTML would begin.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
#: Where a spreadsheet would take text for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Report:
    """A report in the making; add parts in reading order, then :meth:`write`.

    Texts may hold what a user's file says: in both pages it is text, never HTML.

    Parameters
    ----------
    title
        Heading of the page.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._details = Details()
        self._markdown = [f"# {_line(title)}"]
        self._html = [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Add a section heading."""
        self._markdown.append(f"## {_line(text)}")
        self._html.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, markdown: str) -> None:
        """Add a paragraph of Markdown."""
        from markdown import Markdown

        renderer = Markdown()
        # what still looks like HTML is shown as it is written
        renderer.preprocessors.deregister("html_block")
        renderer.inlinePatterns.deregister("html")
        self._markdown.append(_plain(markdown))
        self._html.append(renderer.convert(_plain(markdown)))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; the first column is text, the others are numbers."""
        shown = [[cell(value) for value in row] for row in rows]
        self._markdown.append(table_lines(columns, rows))
        head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(v)}</td>" for v in row) + "</tr>" for row in shown
        )
        self._html.append(
            f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            "</div>"
        )

    def plot(self, plot: Plot, path: Path, caption: str) -> None:
        """Add a plot; in Markdown it is the PNG at ``path``, which lies beside the report."""
        self._markdown.append(f"![{_line(caption)}]({path.name})")
        self._html.append(
            f"<figure><figcaption>{html.escape(caption)}</figcaption>{plot.html(self._details)}"
            '<div class="shown" aria-live="polite" hidden></div></figure>'
        )

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``report.md`` and ``report.html`` into ``folder``; return their paths."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            f"<title>{html.escape(self.title)}</title><style>{STYLE}</style></head><body>"
            + "\n".join(self._html)
            + self._script()
            + "</body></html>\n"
        )
        return (
            write_text_atomic(folder / "report.md", "\n\n".join(self._markdown) + "\n"),
            write_text_atomic(folder / "report.html", page),
        )

    def _script(self) -> str:
        """What marks say and show, and the script; nothing where there is no plot."""
        if not len(self._details):
            return ""
        return (
            f'<script type="application/json" id="details">{self._details.json()}</script>'
            f"<script>{SCRIPT}</script>"
        )


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a table as Markdown; the first column is text, the others are numbers."""
    shown = [[_line(cell(value)).replace("|", "\\|") for value in row] for row in rows]
    lines = [
        "| " + " | ".join(map(_line, columns)) + " |",
        "| --- |" + " ---: |" * (len(columns) - 1),
        *("| " + " | ".join(row) + " |" for row in shown),
    ]
    return "\n".join(lines)


def write_json(path: Path, document: dict[str, Any]) -> Path:
    """Write a result document."""
    return write_text_atomic(path, json.dumps(document, indent=2) + "\n")


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows of plain values; columns are the union of keys in order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval=0, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_harmless, rows))
    return write_text_atomic(path, text.getvalue())


def stream_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows as they come, none of which is kept; what a row lacks is empty."""
    with (
        staged(path.parent) as folder,
        (folder / path.name).open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(_harmless, rows))
    return path


def _harmless(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose texts no spreadsheet takes for formulas: an apostrophe is before those."""
    return {
        key: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
        for key, value in row.items()
    }


def _line(text: str) -> str:
    """As :func:`_plain`, of a text that must stay in its line."""
    return _plain(text.replace("\n", " "))


def _plain(text: str) -> str:
    """Text without the beginning of a piece of HTML, code in backticks aside."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        each
        if each.startswith("`") and each.endswith("`") and len(each) > 1
        else _TAG.sub("&lt;", each)
        for each in pieces
    )
