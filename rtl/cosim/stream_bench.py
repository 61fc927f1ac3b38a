"""Bench: a generated array between memories that play its streams, with counters on its status."""

from pathlib import Path

from amaranth import C, ClockSignal, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.back import verilog
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.system.files import write_text_atomic

__all__ = ["COUNT_WIDTH", "PAUSE_BITS", "SOURCES", "StreamBench", "write_bench"]

#: Streams that the bench plays, from the array's sidecar.
SOURCES = ("command", "weight", "act")
#: Longest stall pattern, in cycles.
PAUSE_BITS = 256
#: Bits of the cycle counters.
COUNT_WIDTH = 48
#: Bits of the counts of words and transfers.
WORDS_WIDTH = 32

#: Memories that only the testbench writes (or only reads): registers, so that the simulator need
#: not look for a change of theirs in every delta cycle.
MEMORIES = """\
module bench_source(clk, addr, payload);
  parameter WIDTH = 1, DEPTH = 2, ADDR = 1;
  input clk;
  input [ADDR-1:0] addr;
  output reg [WIDTH-1:0] payload;
  reg [WIDTH-1:0] word [0:DEPTH-1];
  always @(posedge clk) payload <= word[addr];
endmodule

module bench_sink(clk, addr, payload, en);
  parameter WIDTH = 1, DEPTH = 2, ADDR = 1;
  input clk, en;
  input [ADDR-1:0] addr;
  input [WIDTH-1:0] payload;
  reg [WIDTH-1:0] word [0:DEPTH-1];
  always @(posedge clk) if (en) word[addr] <= payload;
endmodule
"""

#: What Verilator must leave visible; everything else it may optimize.
VISIBLE = """\
`verilator_config
public_flat_rw -module "bench" -var "clk"
public_flat_rw -module "bench" -var "rst"
public_flat_rw -module "bench" -var "run"
public_flat_rw -module "bench" -var "job"
public_flat_rd -module "bench" -var "idle"
public_flat_rd -module "bench" -var "stop"
public_flat_rd -module "bench" -var "hung"
public_flat_rd -module "bench" -var "result"
public_flat_rw -module "bench_source" -var "word"
public_flat_rd -module "bench_sink" -var "word"
"""


def job_layout() -> data.StructLayout:
    """What the testbench sets before a run: sizes, limit, stall patterns and their lengths."""
    streams = (*SOURCES, "ofmap")
    return data.StructLayout(
        {f"words_{name}": WORDS_WIDTH for name in streams}
        | {"limit": COUNT_WIDTH}
        | {f"period_{name}": range(PAUSE_BITS + 1) for name in streams}
        | {f"pause_{name}": data.ArrayLayout(32, PAUSE_BITS // 32) for name in streams}
    )


def result_layout(sidecar: dict) -> data.StructLayout:
    """What the testbench reads after a run: counts, and the flags of a broken rule."""
    streams = (*SOURCES, "ofmap")
    return data.StructLayout(
        {"hung": 1, "unstable": 1, "spurious": 1, "cycles": COUNT_WIDTH}
        | {f"taken_{name}": WORDS_WIDTH for name in streams}
        | {
            f"count_{group}": data.ArrayLayout(COUNT_WIDTH, len(entry["causes"]))
            for group, entry in sidecar["status"]["groups"].items()
        }
        | {f"event_{name}": COUNT_WIDTH for name in sidecar["events"]["fields"]}
    )


class StreamBench(wiring.Component):
    """Play one job on a generated array, and count what happens.

    The cycle after ``run`` is set is t = 0. A source offers while it has words and is not paused,
    or still holds an offer that was not taken; the sink is ready while it is not paused. Cycles
    and causes are counted from t = 0 up to and including the cycle of the last expected transfer
    of ``ofmap``; then ``stop`` rises, and everything holds until ``run`` falls.

    Parameters
    ----------
    sidecar : dict
        What :func:`hwsim.rtl.emit.verilog.generate` wrote beside the Verilog.
    depth : int
        Words of each memory, a power of two.

    Members
    -------
    run : ``In(1)``
        Plays the job while high; low rewinds the memories and clears the counts.
    job : ``In(job_layout())``
        Taken while ``run`` is low.
    idle : ``Out(1)``
        The array would take a command.
    stop : ``Out(1)``
        The last transfer was seen, or the limit of cycles was reached.
    hung : ``Out(1)``
        The limit was reached.
    result : ``Out(result_layout(sidecar))``
        ``unstable``: ``ofmap`` withdrew or changed an offer. ``spurious``: it offered outside a
        run. Both stay until a reset.
    """

    run: Signal
    job: data.View
    idle: Signal
    stop: Signal
    hung: Signal
    result: data.View

    def __init__(self, sidecar: dict, depth: int) -> None:
        self.sidecar, self.depth = sidecar, depth
        self.addr_bits = (depth - 1).bit_length()
        self.active = Signal()
        self.settings = data.View(job_layout(), Signal(job_layout().size, name="settings"))
        super().__init__(
            {
                "run": In(1),
                "job": In(job_layout()),
                "idle": Out(1),
                "stop": Out(1),
                "hung": Out(1),
                "result": Out(result_layout(sidecar)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        running = Signal()
        finished = Signal()
        # the testbench's signals are read by registers only: the simulator may then skip the rest
        m.d.sync += running.eq(self.run)
        with m.If(~running):
            m.d.sync += self.settings.eq(self.job)
        m.d.comb += [
            self.active.eq(running & ~finished & ~self.hung),
            self.stop.eq(running & (finished | self.hung)),
            self.result.hung.eq(self.hung),
        ]

        ports = {name: self._source(m, name) for name in SOURCES}
        ports["ofmap"] = self._sink(m)
        status = Signal(self.sidecar["status"]["width"])
        events = Signal(self.sidecar["events"]["width"])
        self._array(m, ports, status, events)
        m.d.comb += self.idle.eq(ports["command"][1])

        self._count(m, status)
        self._count_events(m, events)
        self._watch(m, *ports["ofmap"])
        taken = ports["ofmap"][0] & ports["ofmap"][1]
        last = self.result.taken_ofmap + 1 == self.settings.words_ofmap
        with m.If(~running):
            m.d.sync += [finished.eq(0), self.hung.eq(0)]
        with m.Elif(self.active):
            m.d.sync += finished.eq(taken & last)
            m.d.sync += self.hung.eq(
                ~(taken & last) & (self.result.cycles + 1 == self.settings.limit)
            )
        return m

    def _array(self, m: Module, ports: dict, status: Signal, events: Signal) -> None:
        connections = {"i_clk": ClockSignal(), "i_rst": ResetSignal(), "o_status": status}
        if len(events):
            connections["o_events"] = events
        for name, (valid, ready, payload) in ports.items():
            ahead, back = ("i", "o") if name in SOURCES else ("o", "i")
            connections[f"{ahead}_{name}__valid"] = valid
            connections[f"{back}_{name}__ready"] = ready
            connections[f"{ahead}_{name}__payload"] = payload
        m.submodules.array = Instance(self.sidecar["name"], **connections)

    def _source(self, m: Module, name: str) -> tuple[Signal, Signal, Signal]:
        """Words of one memory, offered by the rules; returns its valid, ready and payload."""
        width = self.sidecar["streams"][name]["width"]
        valid = Signal()
        ready = Signal()
        payload = Signal(width)
        held = Signal()
        taken = Signal()
        position = self.result[f"taken_{name}"]
        position_next = Signal.like(position)
        m.d.comb += [
            valid.eq(
                self.active
                & (position < self.settings[f"words_{name}"])
                & (held | ~self._paused(m, name))
            ),
            taken.eq(valid & ready),
            position_next.eq(position + taken),
        ]
        with m.If(self.active):
            m.d.sync += [held.eq(valid & ~ready), position.eq(position_next)]
        with m.If(~self.run):
            m.d.comb += position_next.eq(0)
            m.d.sync += [held.eq(0), position.eq(0)]
        m.submodules[f"memory_{name}"] = Instance(
            "bench_source",
            p_WIDTH=width, p_DEPTH=self.depth, p_ADDR=self.addr_bits,
            i_clk=ClockSignal(), i_addr=position_next[: self.addr_bits], o_payload=payload,
        )  # fmt: skip
        return valid, ready, payload

    def _sink(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """Memory of the output, ready by the rules; returns its valid, ready and payload."""
        width = self.sidecar["streams"]["ofmap"]["width"]
        valid = Signal()
        ready = Signal()
        payload = Signal(width)
        position = self.result.taken_ofmap
        m.d.comb += ready.eq(self.active & ~self._paused(m, "ofmap"))
        with m.If(~self.run):
            m.d.sync += position.eq(0)
        with m.Elif(valid & ready):
            m.d.sync += position.eq(position + 1)
        m.submodules.memory_ofmap = Instance(
            "bench_sink",
            p_WIDTH=width, p_DEPTH=self.depth, p_ADDR=self.addr_bits,
            i_clk=ClockSignal(), i_addr=position[: self.addr_bits],
            i_payload=payload, i_en=valid & ready,
        )  # fmt: skip
        return valid, ready, payload

    def _paused(self, m: Module, name: str) -> Value:
        """Whether the pattern of a stream pauses it in this cycle."""
        phase = Signal(range(PAUSE_BITS))
        period = self.settings[f"period_{name}"]
        with m.If(~self.run):
            m.d.sync += phase.eq(0)
        with m.Elif(self.active):
            m.d.sync += phase.eq(Mux(phase + 1 == period, 0, phase + 1))
        pattern: Value = self.settings[f"pause_{name}"].as_value()
        return pattern.bit_select(phase, 1)

    def _count(self, m: Module, status: Signal) -> None:
        """Cycles, and members of each status group by cause, of every active cycle."""
        counted: list[tuple[Value, Value]] = [(self.result.cycles, C(1))]
        for group, entry in self.sidecar["status"]["groups"].items():
            width, offset = entry["width"], entry["offset"]
            codes = [status[offset + i * width :][:width] for i in range(entry["members"])]
            for code in range(len(entry["causes"])):
                counter = self.result[f"count_{group}"][code]
                counted.append((counter, _total([member == code for member in codes])))
        for counter, step in counted:
            with m.If(~self.run):
                m.d.sync += counter.eq(0)
            with m.Elif(self.active):
                m.d.sync += counter.eq(counter + step)

    def _count_events(self, m: Module, events: Signal) -> None:
        """Add up the strobes of each event of every cycle."""
        for name, field in self.sidecar["events"]["fields"].items():
            strobes = events[field["offset"] : field["offset"] + field["width"]]
            counter = self.result[f"event_{name}"]
            with m.If(~self.run):
                m.d.sync += counter.eq(0)
            with m.Elif(self.active):
                m.d.sync += counter.eq(counter + _total(list(strobes)))

    def _watch(self, m: Module, valid: Signal, ready: Signal, payload: Signal) -> None:
        """Hold the output to the rules: an offer stays as it is until taken; none outside a run."""
        waiting = Signal()
        offered = Signal.like(payload)
        m.d.sync += [waiting.eq(valid & ~ready), offered.eq(payload)]
        with m.If(waiting & ~(valid & (payload == offered))):
            m.d.sync += self.result.unstable.eq(1)
        with m.If(~self.active & valid):
            m.d.sync += self.result.spurious.eq(1)


def _total(values: list[Value]) -> Value:
    """Sum by a balanced tree, no wider than it needs to be."""
    half = len(values) // 2
    return _total(values[:half]) + _total(values[half:]) if half else values[0]


def write_bench(sidecar: dict, depth: int, out_dir: Path) -> tuple[Path, Path]:
    """Write ``bench.v`` and ``bench.vlt``; return their paths. The top module is ``bench``."""
    text = verilog.convert(StreamBench(sidecar, depth), name="bench", emit_src=False)
    source = write_text_atomic(out_dir / "bench.v", text + "\n" + MEMORIES)
    return source, write_text_atomic(out_dir / "bench.vlt", VISIBLE)
