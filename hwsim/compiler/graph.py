"""Which layers read what: lives of feature maps, and the borders that their readers see."""

from __future__ import annotations

from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.errors import InputError

__all__ = ["Graph"]

#: Types of layers that the vector unit of a machine does not compute.
_NOT_RUN = ("activation", "float", "lrn", "mul")


class Graph:
    """Layers of a network, and who reads their outputs.

    Parameters
    ----------
    arch, network
        The design, for its name in messages; the network.

    Attributes
    ----------
    alone, together
        Layers of each image, and the fully connected ones at the end that take all images.

    Raises
    ------
    InputError
        Every layer is fully connected, or a layer is of a type that no machine has.
    """

    def __init__(self, arch: ArchConfig, network: NetworkConfig) -> None:
        self.arch, self.network = arch, network
        where, why = f"{network.name} on {arch.name}", "a machine stores what its last layer gives"
        network.must_chain(where)
        network.must_have_one_output(where, f"{why} (hwsim import --until chooses)")
        self.shapes = network.shapes()
        for shape in self.shapes:
            if shape.layer.type in _NOT_RUN or shape.layer.moves:
                rule = "runs on no machine: it has no unit for it; an array alone computes the rest"
                self.refuse(f"layers.{shape.layer.name}.type", shape.layer.type, rule)
            if not shape.layer.count_include_pad:
                rule = "runs on no machine: all windows of a pool have one multiplier there"
                self.refuse(f"layers.{shape.layer.name}.count_include_pad", False, rule)
        split = len(self.shapes)
        while split > 0 and self.shapes[split - 1].layer.type == "fc":
            split -= 1
        if split == 0:
            self.refuse("layers.0.type", "fc", "must be a layer that is not fully connected")
        self.alone, self.together = self.shapes[:split], self.shapes[split:]

    def inputs(self, number: int) -> tuple[str, ...]:
        """Names of what a layer reads."""
        before = self.shapes[number - 1].layer.name if number else "input"
        return self.shapes[number].layer.inputs or (before,)

    def needed(self, number: int) -> set[str]:
        """Tensors that a layer of each image from ``number`` on reads."""
        return {name for each in range(number, len(self.alone)) for name in self.inputs(each)}

    def users(self, number: int) -> list[LayerShape]:
        """Layers that read the output of layer ``number``; of -1, the input."""
        name = self.shapes[number].layer.name if number >= 0 else "input"
        return [shape for each, shape in enumerate(self.shapes) if name in self.inputs(each)]

    def border(self, number: int) -> int:
        """Pixels around the output of a layer that its readers see."""
        widest = 0
        for shape in self.users(number):
            layer = shape.layer
            if layer.type not in ("conv", "maxpool", "avgpool"):
                continue
            for axis, (out, size, window) in enumerate(
                (
                    (shape.ofmap.height, shape.ifmap.height, shape.R),
                    (shape.ofmap.width, shape.ifmap.width, shape.S),
                )
            ):
                span = layer.dilations[axis] * (window - 1) + 1
                reach = (out - 1) * layer.strides[axis] + span
                widest = max(widest, layer.pads[axis], reach - layer.pads[axis] - size)
        return widest

    def padding(self, number: int) -> int:
        """What the border of a layer's output holds: 0, or what never wins in a pool."""
        pools = [shape.layer.type == "maxpool" for shape in self.users(number)]
        if not any(pools) or self.shapes[number].layer.relu:
            return 0
        if not all(pools) and self.border(number):
            rule = "must have a ReLU: a pool and another layer see its border differently"
            self.refuse(self.shapes[number].layer.name, "relu", rule)
        return -(1 << (self.arch.numbers.act_width - 1))

    def refuse(self, key: str, value: object, rule: str) -> None:
        """Raise an ``InputError`` of this network on this design."""
        raise InputError(f"{self.network.name} on {self.arch.name}", key, value, rule)
