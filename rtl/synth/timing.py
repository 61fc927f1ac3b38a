"""Static timing of a mapped netlist: the slowest path between registers, memories and ports.

Each gate's arcs are the planes of :mod:`hwsim.config.tech`: delay and slew of a rising and of a
falling output over the load it drives and the slew at its input. Wires are a load per pin. Mapping
buffers what gates drive; a flip-flop of large fan-out, an enable, drives a tree of buffers here as
it would when it is placed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hwsim.config.tech import CellConfig, CornerConfig, Plane
from hwsim.errors import InputError

__all__ = ["MemoryTiming", "Route", "Timing", "analyze", "net_names"]

#: Slew of an input port and of a memory's output, ns.
EDGE_NS = 0.05
#: Levels of buffers behind a flip-flop at the most.
LEVELS = 6
#: Bits of Yosys that are no net.
_CONSTANTS = frozenset({"0", "1", "x", "z"})

#: Depth, width, whether it is read in the cycle of its address -> ns from the clock, or from the
#: address, to the data.
MemoryTiming = Callable[[int, int, bool], float]


@dataclass(frozen=True)
class Route:
    """One path: ns, and the points on it by their RTL names, the start first."""

    delay: float
    points: tuple[str, ...]
    #: ns at which it starts: the access of a memory, or the output of a register.
    begin: float = 0.0


@dataclass(frozen=True)
class Timing:
    """Slowest paths of a netlist, setup included."""

    #: Between registers, and from and to ports.
    logic: Route
    #: From or to a memory; ``None`` without one.
    memory: Route | None
    #: Depth and width of the memory at whose data that one starts, and whether it is read in the
    #: cycle of its address; ``None`` where it ends at a memory alone.
    starts_at: tuple[int, int, bool] | None = None

    @property
    def period(self) -> float:
        """Least clock period in ns."""
        return max(self.logic.delay, self.memory.delay if self.memory is not None else 0.0)


@dataclass
class _Point:
    """Arrival at a net: ns and slew of each edge, and where it is from."""

    time: list[float]
    slew: list[float]
    #: Net that made each edge late; -1 at a start.
    source: list[int]
    source_edge: list[int]


def analyze(
    module: dict[str, Any], corner: CornerConfig, wire_load: float, memories: MemoryTiming
) -> Timing:
    """Find the slowest paths of a flat netlist.

    Parameters
    ----------
    module
        What Yosys writes of it as JSON (:func:`~hwsim.rtl.synth.yosys.map_flat`).
    wire_load
        fF of wire per pin.
    memories
        Access times.

    Raises
    ------
    InputError
        The netlist has a cell that the corner does not know, or a loop of gates.
    """
    return _Analysis(module, corner, wire_load, memories).run()


class _Analysis:
    def __init__(
        self,
        module: dict[str, Any],
        corner: CornerConfig,
        wire_load: float,
        memories: MemoryTiming,
    ) -> None:
        self.corner, self.wire_load, self.memories = corner, wire_load, memories
        self.names = net_names(module["netnames"])
        self.buffers = [cell for cell in corner.cells.values() if cell.function == "A"]
        self.flip_flops: list[dict[str, Any]] = []
        self.rams: list[dict[str, Any]] = []
        #: Net -> gate that drives it.
        self.gates: dict[int, tuple[CellConfig, dict[str, Any]]] = {}
        self.load: dict[int, float] = {}
        self.points: dict[int, _Point] = {}
        #: Data of memories without a register -> their address, and ns.
        self.reads: dict[int, tuple[list[Any], float]] = {}
        for name, cell in module["cells"].items():
            self._place(name, cell)
        for port in module["ports"].values():
            if port["direction"] == "input":
                for net in port["bits"]:
                    self._start(net, 0.0, EDGE_NS)
        self.outputs = [
            net
            for port in module["ports"].values()
            if port["direction"] == "output"
            for net in port["bits"]
        ]

    def run(self) -> Timing:
        corner = self.corner
        for each in self.flip_flops:
            (net,) = each["connections"][corner.flip_flop.output]
            self._clocked(net)
        from_memory: dict[int, tuple[int, int, bool]] = {}
        for each in self.rams:
            from_memory |= self._read_starts(each)
        slowest: dict[bool, tuple[float, int, int, str]] = {}

        def end(net: Any, setup: float, name: str, *, is_memory: bool) -> None:
            if net in _CONSTANTS:
                return
            point = self._arrive(net)
            for edge in (0, 1):
                time = point.time[edge] + setup
                touches = is_memory or self._origin(net, edge) in from_memory
                if touches not in slowest or time > slowest[touches][0]:
                    slowest[touches] = (time, net, edge, name)

        for each in self.flip_flops:
            (data,) = each["connections"][corner.flip_flop.data]
            (output,) = each["connections"][corner.flip_flop.output]
            end(data, corner.flip_flop.setup, self._name(output), is_memory=False)
        for each in self.rams:
            for pin, nets in each["connections"].items():
                if pin not in ("RD_DATA", "RD_CLK", "WR_CLK"):
                    for net in nets:
                        end(net, corner.flip_flop.setup, each["name"], is_memory=True)
        for net in self.outputs:
            end(net, 0.0, f"port {self._name(net)}", is_memory=False)
        logic = self._path(slowest[False]) if False in slowest else Route(0.0, ())
        if True not in slowest:
            return Timing(logic, None)
        _, net, edge, _ = slowest[True]
        return Timing(logic, self._path(slowest[True]), from_memory.get(self._origin(net, edge)))

    def _place(self, name: str, cell: dict[str, Any]) -> None:
        kind, connections = cell["type"], cell["connections"]
        if kind == "$scopeinfo":
            return
        if kind == "$mem_v2":
            self.rams.append(cell | {"name": name})
            for pin, nets in connections.items():
                if pin != "RD_DATA":
                    pins = _enables(cell) if pin == "WR_EN" else nets
                    self._loads(pins, self._input_load())
            return
        if kind == self.corner.flip_flop.name:
            self.flip_flops.append(cell)
            for pin, load in self.corner.flip_flop.pins.items():
                if pin != self.corner.flip_flop.clock:
                    self._loads(connections.get(pin, []), load)
            return
        if kind not in self.corner.cells:
            raise InputError("timing", name, kind, "is no cell of the technology")
        facts = self.corner.cells[kind]
        (output,) = connections[facts.output]
        self.gates[output] = (facts, connections)
        for pin, load in facts.pins.items():
            self._loads(connections[pin], load)

    def _loads(self, nets: list[Any], load: float) -> None:
        for net in nets:
            if net not in _CONSTANTS:
                self.load[net] = self.load.get(net, 0.0) + load + self.wire_load

    def _input_load(self) -> float:
        return self.corner.flip_flop.pins[self.corner.flip_flop.data]

    def _start(self, net: Any, time: float, slew: float) -> None:
        if net not in _CONSTANTS:
            self.points[net] = _Point([time, time], [slew, slew], [-1, -1], [0, 0])

    def _clocked(self, net: int) -> None:
        load, flip_flop = self.load.get(net, 0.0), self.corner.flip_flop
        ways = [_on(plane, load, EDGE_NS) for plane in (flip_flop.rise, flip_flop.fall)]
        for buffer in self.buffers:
            first = next(iter(buffer.pins.values())) + self.wire_load
            root = max(_on(plane, first, EDGE_NS) for plane in (flip_flop.rise, flip_flop.fall))
            tree = root + _tree(buffer, first, load)
            ways = [min(way, tree) for way in ways]
        self.points[net] = _Point(ways, [EDGE_NS, EDGE_NS], [-1, -1], [0, 0])

    def _read_starts(self, cell: dict[str, Any]) -> dict[int, tuple[int, int, bool]]:
        """Start points of a memory's data -> its shape; a combinational read has its address."""
        parameters = cell["parameters"]
        depth, width = (int(parameters[key], 2) for key in ("SIZE", "WIDTH"))
        address = int(parameters["ABITS"], 2)
        ports = int(parameters["RD_PORTS"], 2)
        is_clocked = parameters["RD_CLK_ENABLE"][::-1]
        nets = {}
        for port in range(ports):
            data = cell["connections"]["RD_DATA"][port * width : (port + 1) * width]
            access = self.memories(depth, width, is_clocked[port] != "1")
            for net in data:
                if is_clocked[port] == "1":
                    self._start(net, access, EDGE_NS)
                    nets[net] = (depth, width, False)
                else:
                    lines = cell["connections"]["RD_ADDR"][port * address : (port + 1) * address]
                    self.reads[net] = (lines, access)
        return nets

    def _arrive(self, net: Any) -> _Point:
        """Arrival at a net, by a walk without recursion."""
        stack: list[Any] = [net]
        open_: set[Any] = set()
        while stack:
            at = stack[-1]
            if at in self.points:
                stack.pop()
                continue
            inputs = [each for each in self._inputs(at) if each not in _CONSTANTS]
            missing = [each for each in inputs if each not in self.points]
            if missing:
                if at in open_:
                    raise InputError("timing", self._name(at), None, "is in a loop of gates")
                open_.add(at)
                stack += missing
                continue
            open_.discard(at)
            self.points[at] = self._through(at)
            stack.pop()
        return self.points[net]

    def _inputs(self, net: int) -> list[Any]:
        if net in self.reads:
            return self.reads[net][0]
        if net not in self.gates:
            return []
        facts, connections = self.gates[net]
        return [connections[arc.pin][0] for arc in facts.arcs]

    def _through(self, net: Any) -> _Point:
        point = _Point([0.0, 0.0], [EDGE_NS, EDGE_NS], [-1, -1], [0, 0])
        if net in self.reads:
            lines, access = self.reads[net]
            for line in lines:
                if line not in _CONSTANTS:
                    before = self.points[line]
                    for edge in (0, 1):
                        _later(point, 0, before.time[edge] + access, EDGE_NS, line, edge)
                        _later(point, 1, before.time[edge] + access, EDGE_NS, line, edge)
            return point
        if net not in self.gates:
            return point
        facts, connections = self.gates[net]
        load = self.load.get(net, 0.0)
        for arc in facts.arcs:
            (source,) = connections[arc.pin]
            if source in _CONSTANTS:
                continue
            before = self.points[source]
            for out, (delay, slew) in enumerate(
                ((arc.rise, arc.rise_slew), (arc.fall, arc.fall_slew))
            ):
                for edge in _EDGES[arc.sense][out]:
                    at = before.slew[edge]
                    time = before.time[edge] + max(0.0, _on(delay, load, at))
                    _later(point, out, time, max(0.005, _on(slew, load, at)), source, edge)
        return point

    def _origin(self, net: int, edge: int) -> int:
        while (source := self.points[net].source[edge]) >= 0:
            net, edge = source, self.points[net].source_edge[edge]
        return net

    def _path(self, found: tuple[float, int, int, str]) -> Route:
        time, net, edge, name = found
        points = [name]
        while True:
            label = self._name(net)
            if label and label != points[-1]:
                points.append(label)
            source = self.points[net].source[edge]
            if source < 0:
                break
            net, edge = source, self.points[net].source_edge[edge]
        return Route(round(time, 4), tuple(reversed(points)), self.points[net].time[edge])

    def _name(self, net: int) -> str:
        return self.names.get(net, "")


#: Sense -> output edge (0 rises) -> edges of the input that cause it.
_EDGES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "positive_unate": ((0,), (1,)),
    "negative_unate": ((1,), (0,)),
    "non_unate": ((0, 1), (0, 1)),
}


def _later(point: _Point, out: int, time: float, slew: float, source: int, edge: int) -> None:
    """Keep the latest arrival of an edge."""
    if point.source[out] < 0 or time > point.time[out]:
        point.time[out], point.slew[out] = time, slew
        point.source[out], point.source_edge[out] = source, edge


def _on(plane: Plane, load: float, slew: float) -> float:
    return plane[0] + plane[1] * load + plane[2] * slew + plane[3] * load * slew


def _tree(buffer: CellConfig, first: float, load: float) -> float:
    """Delay of the fastest balanced tree of buffers; ``first`` is the load of each, in fF."""
    (arc,) = buffer.arcs
    delays = []
    for levels in range(1, LEVELS + 1):
        drives, slew, time = first * (load / first) ** (1 / levels), EDGE_NS, 0.0
        for _ in range(levels):
            time += max(_on(plane, drives, slew) for plane in (arc.rise, arc.fall))
            slew = max(_on(plane, drives, slew) for plane in (arc.rise_slew, arc.fall_slew))
        delays.append(time)
    return min(delays)


def _enables(memory: dict[str, Any]) -> list[Any]:
    """Nets of the write enables of a memory: a macro has one pin where all bits share one."""
    width, nets = int(memory["parameters"]["WIDTH"], 2), memory["connections"]["WR_EN"]
    ports = [nets[first : first + width] for first in range(0, len(nets), width)]
    return [net for bits in ports for net in (bits if len(set(bits)) > 1 else bits[:1])]


def net_names(netnames: dict[str, Any]) -> dict[int, str]:
    """Net -> its name in the RTL; of several the shortest, names that Yosys made up left out."""
    found: dict[int, str] = {}
    for name, net in sorted(netnames.items(), key=lambda item: (len(item[0]), item[0])):
        if net.get("hide_name"):
            continue
        width = len(net["bits"])
        for index, bit in enumerate(net["bits"]):
            if bit not in _CONSTANTS and bit not in found:
                found[bit] = name if width == 1 else f"{name}[{index}]"
    return found
