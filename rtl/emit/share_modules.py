"""Emit equal modules once: Amaranth writes one module for each instance of a component."""

import re

__all__ = ["share_modules"]

_MODULE = re.compile(r"(?ms)(?:^attribute [^\n]*\n)*^module \\[^\n]*\n.*?^end\n")
_NAME = re.compile(r"(?m)^module (\\\S+)$")
_CELL = re.compile(r"^  cell (\\\S+) \\\S+$")
_PORT = re.compile(r"(?m)^  wire .*\b(?:input|output|inout) \d+ +(\\port\$\S+)$")
_ANY_PORT = re.compile(r"\\port\$\S+")


def share_modules(rtlil: str) -> str:
    """Merge the modules of RTLIL text that differ in name alone; instances keep their names.

    Ports that Amaranth had to invent carry a number that differs between two equal instances, so
    each module's are renamed in the order of their declaration. Modules are taken leaves first: two
    parents are equal when their own text is, once their children are merged. The first module of
    equal ones gives its name.
    """
    texts = {_NAME.findall(text)[0]: text for text in _MODULE.findall(rtlil)}
    merged: dict[str, str] = {}
    ports: dict[str, dict[str, str]] = {}
    bodies: dict[str, str] = {}
    kept: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in merged:
            return
        for line in texts[name].splitlines():
            if (cell := _CELL.match(line)) and cell[1] in texts:
                visit(cell[1])
        declared = _PORT.findall(texts[name])
        ports[name] = {port: f"\\port${index}" for index, port in enumerate(declared)}
        text = _rename(texts[name], ports[name], ports, merged)
        body = _NAME.sub("module", text, count=1)
        merged[name] = bodies.setdefault(body, name)
        if merged[name] == name:
            kept[name] = text

    for name in texts:
        visit(name)
    # in the text's order, which the order of visits is not
    return "\n".join(kept[name] for name in texts if name in kept)


def _rename(
    text: str, own: dict[str, str], ports: dict[str, dict[str, str]], merged: dict[str, str]
) -> str:
    """Rename a module's own invented ports, its children, and its children's invented ports."""
    lines, child = [], {}
    for line in text.split("\n"):
        if cell := _CELL.match(line):
            child = ports.get(cell[1], {})
            line = line.replace(cell[1], merged.get(cell[1], cell[1]), 1)
        elif line == "  end":
            child = {}
        head, separator, rest = line.partition("connect ") if child else ("", "", line)
        if separator:
            port, space, rest = rest.partition(" ")
            head += separator + child.get(port, port) + space
        lines.append(head + _ANY_PORT.sub(lambda match: own.get(match[0], match[0]), rest))
    return "\n".join(lines)
