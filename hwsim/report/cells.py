"""Values as they are written in cells of tables."""

from __future__ import annotations

__all__ = ["cell"]


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
