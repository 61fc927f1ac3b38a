"""Fields of designs and networks by dotted names, as the grid of a sweep gives them."""

from __future__ import annotations

from typing import Any

from hwsim.errors import InputError

__all__ = ["Tree", "has", "put"]

#: A configuration as plain data.
Tree = dict[str, Any]


def _layer(tree: Tree, name: str) -> tuple[list[Tree], str]:
    """Layers that ``network.<...>`` addresses, if any, and the key inside each."""
    path = name.removeprefix("network.")
    if path in ("weight_density", "act_density"):
        return [layer for layer in tree["layers"] if layer["type"] in ("conv", "fc")], path
    # a layer's name may hold dots, a layer's key does not
    layer_name, _, key = path.removeprefix("layers.").rpartition(".")
    if not path.startswith("layers."):
        return [], key
    return [layer for layer in tree["layers"] if layer["name"] == layer_name], key


def has(tree: Tree, name: str) -> bool:
    """Whether a design or network has a field."""
    if name.startswith("network."):
        layers, key = _layer(tree, name)
        if layers:
            return all(key in layer for layer in layers)
    *parents, last = name.split(".")[1:]
    node: Any = tree
    for step in parents:
        node = node.get(step) if isinstance(node, dict) else None
    return isinstance(node, dict) and last in node


def put(tree: Tree, name: str, value: Any) -> None:
    """Give a field of a design or network a value.

    Raises
    ------
    InputError
        The value of its parent, given before, has no room for it.
    """
    if name.startswith("network."):
        layers, key = _layer(tree, name)
        if layers:
            for layer in layers:
                layer[key] = value
            return
    *parents, last = name.split(".")[1:]
    node: Any = tree
    for step in parents:
        node = node.get(step) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise InputError("grid", name, value, "is no key of the value of its parent")
    node[last] = value
