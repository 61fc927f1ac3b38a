"""Reports: the same text, tables and pictures as Markdown and as one self-contained HTML page."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hwsim.system.files import staged, write_text_atomic

__all__ = ["Report", "cell", "stream_csv", "table_lines", "write_csv", "write_json"]

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;font-size:13px}
td,th{border:1px solid #ccc;padding:.25rem .6rem;text-align:right}
td:first-child,th:first-child{text-align:left}th{background:#f3f3f3}
tr:nth-child(even) td{background:#fafafa}img{max-width:100%}code{background:#f3f3f3;padding:0 .2em}
"""


#: Nothing of a page runs, and nothing is loaded: pictures are inside.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
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
        self._html.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")

    def picture(self, path: Path, caption: str) -> None:
        """Add a PNG that lies beside the report; the HTML page carries it inside."""
        self._markdown.append(f"![{_line(caption)}]({path.name})")
        data = base64.b64encode(path.read_bytes()).decode()
        text = html.escape(caption, quote=True)
        self._html.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>"
        )

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``report.md`` and ``report.html`` into ``folder``; return their paths."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            f"<title>{html.escape(self.title)}</title><style>{STYLE}</style></head><body>"
            + "\n".join(self._html)
            + "</body></html>\n"
        )
        return (
            write_text_atomic(folder / "report.md", "\n\n".join(self._markdown) + "\n"),
            write_text_atomic(folder / "report.html", page),
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


def cell(value: object) -> str:
    """One value as text: integers in groups of three, fractions with three digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)
