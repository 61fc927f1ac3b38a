"""Legend of a plot: a patch of each colour and what it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

__all__ = ["legend"]


def legend(colours: Mapping[str, str]) -> str:
    """HTML of a legend: name -> colour."""
    items = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<div class="legend">{items}</div>'
