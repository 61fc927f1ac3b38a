"""Status codes: the constants that name what a cycle was spent on."""

from amaranth import Const

from hwsim.contract.causes import CauseTable, cause_names
from hwsim.formats.base import index_width

__all__ = ["status_code", "status_codes"]


def status_codes(causes: CauseTable, group: str) -> dict[str, Const]:
    """Code of each cause of one status group, as wide as the group's status needs."""
    names = cause_names(causes)[group]
    width = index_width(len(names))
    return {name: Const(code, width) for code, name in enumerate(names)}


def status_code(causes: CauseTable, group: str, name: str) -> Const:
    """Code of one cause of one status group."""
    return status_codes(causes, group)[name]
