# amaranth: UnusedElaboratable=no
"""Execution of jobs of the array: every value, and the cycles that the fast form says."""

from copy import copy
from dataclasses import replace

import pytest
from harness.component import play, seeded

from hwsim.accelerator.execute import execute_cycles
from hwsim.accelerator.tile import ArrayJob, Nest, Tile
from hwsim.arrays.base import Fed, array_model
from hwsim.compiler.bits import to_bytes
from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.fixedpoint import requantize, wrap
from hwsim.rtl.machine.descriptor import execute_layout
from hwsim.rtl.machine.execute import Execute
from hwsim.rtl.machine.postprocess import scale_layout

OUTPUTS = [
    "done", "takes", "write.valid", "write.index", "write.addr", "write.data",
    "feed.en", "feed.addr", "feed.index", "weight.en", "weight.addr", "scale.en", "scale.addr",
]  # fmt: skip


def design(rows, cols, dataflow="os", **array):
    """A small machine."""
    depth = {"acc_depth": 16} if dataflow == "ws" else {}
    fields = {"family": "dense", "dataflow": dataflow, "rows": rows, "cols": cols, **depth, **array}
    memory = {"act_depth": 64, "weight_depth": 512, "scale_depth": 8}
    return ArchConfig.model_validate({"name": "machine", "array": fields, "memory": memory})


class Layer:
    """Random operands of one job, as the memories on chip hold them, and what is to be written."""

    def __init__(self, rng, arch, words, m_folds, pixels, *, relu=False, raw=False):
        shape, numbers = MachineShape.of(arch), arch.numbers
        lanes = shape.ofmap_lanes
        k, m = words * shape.act_lanes, m_folds * lanes
        act = rng.integers(-128, 128, (pixels, k)) * (rng.random((pixels, k)) < rng.random())
        weight = rng.integers(-127, 128, (m, k)) * (rng.random((m, k)) < 0.6)
        if not arch.array.by_groups:
            (weight, *_) = array_model(arch).spread(arch, weight)
        scales = {
            "bias": rng.integers(-(1 << 12), 1 << 12, m),
            "multiplier": rng.integers(1 << 8, 1 << 12, m),
            "shift": rng.integers(12, 20, m),
        }

        beats = act.reshape(-1, shape.word_lanes)
        self.acts = ints(to_bytes([(beats, numbers.act_width)], shape.act_bits))
        fields, widths = (
            array_model(arch).weight_words(arch, weight, "layer"),
            arch.array.weight_fields(numbers),
        )
        packed = [(v.reshape(len(v), -1), widths[name]) for name, v in fields.items()]
        self.weights = ints(to_bytes(packed, shape.weight_word))
        layout = scale_layout(lanes, shape.psum_width)
        self.scales = [
            layout.const(
                [{name: int(v[f * lanes + lane]) for name, v in scales.items()}
                 for lane in range(lanes)]
            ).as_value().value
            for f in range(m_folds)
        ]  # fmt: skip

        self.act, self.weight = act, weight
        self.job = self._job(arch, m_folds, relu=relu, raw=raw)
        total = wrap(act @ weight.T + scales["bias"], numbers.psum_width)
        if raw:
            flat, width = total.reshape(-1, lanes), numbers.psum_width
            self.results = ints(to_bytes([(flat, width)], lanes * width))
            step = lanes * numbers.act_width
            mask = (1 << step) - 1
            self.results = [
                (w >> (i * step)) & mask for w in self.results for i in range(shape.raw_beats)
            ]
        else:
            done = requantize(total, scales["multiplier"], scales["shift"], 8, relu)
            step = lanes * numbers.act_width
            self.results = ints(to_bytes([(done.reshape(-1, lanes), numbers.act_width)], step))

    def _job(self, arch, m_folds, *, relu, raw):
        shape, act, weight = MachineShape.of(arch), self.act, self.weight
        pixels, words = len(act), act.shape[1] // shape.act_lanes
        beat = shape.raw_beats if raw else 1
        if arch.array.skips_acts:
            counts = array_model(arch).count_fed(
                arch, weight, pixels, act.reshape(-1, shape.act_lanes)
            )
        else:
            counts = array_model(arch).count_whole(arch, weight, pixels)
        each, k, folds = (pixels, words), (words, 1), (m_folds, beat)
        to = (pixels, m_folds * beat)
        if arch.array.pixel_by_pixel:
            feed, post = Nest.of(0, k, each), Nest.loops(3, folds, to, (1, 0))
        else:
            feed, post = Nest.of(0, each, k, (m_folds, 0)), Nest.loops(3, to, (1, 0), folds)
        return ArrayJob(
            1, 2, 0,
            feed, post,
            relu=relu, k_folds=words, m_folds=m_folds, pixels=pixels, raw=raw,
            weight_words=len(self.weights) if arch.array.pixel_by_pixel else 0,
            cycles=counts.cycles, act_beats=counts.events["act_beats"],
        )  # fmt: skip


class Grouped(Layer):
    """A job of an array that takes pixels in equal groups."""

    def __init__(self, rng, arch, words, m_folds, group, groups, **options):
        self.group = group
        super().__init__(rng, arch, words, m_folds, group * groups, **options)

    def again(self, arch):
        """The same once more, with the weights that stay."""
        found = copy(self)
        found.job = found.counted(arch, replace(self.job, weight_words=0))
        return found

    def counted(self, arch, job):
        shape = MachineShape.of(arch)
        beats = self.act.reshape(-1, shape.act_lanes)[job.feed.positions()]
        gap = shape.raw_beats if job.raw else 1
        fed = Fed(beats, self.group, job.weight_words > 0, gap)
        counts = array_model(arch).count_groups(arch, self.weight, fed)
        assert job.weight_words == counts.events["weight_beats"]
        return replace(job, cycles=counts.cycles, act_beats=counts.events["act_beats"])

    def _job(self, arch, m_folds, *, relu, raw):
        shape, group = MachineShape.of(arch), self.group
        words, groups = self.act.shape[1] // shape.act_lanes, len(self.act) // group
        beat = shape.raw_beats if raw else 1
        pixel = m_folds * beat
        job = ArrayJob(
            1, 2, 0, Nest.loops(0, (group, words), (words, 1), (groups, group * words)),
            Nest.loops(3, (group, pixel), (m_folds, beat), (groups, group * pixel)),
            weight_words=len(self.weights), relu=relu, k_folds=words, m_folds=m_folds,
            pixels=groups, raw=raw,
        )  # fmt: skip
        return self.counted(arch, job)


def ints(words):
    """Words of bytes as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def run(simulate, arch, layers):
    """Execute layers one after the other; hold writes, counts and cycles to what they must be."""
    dut = Execute(arch)
    starts = []

    def stimuli(rows):
        if arch.array.decodes_indices:
            # after a reset the accumulators are cleared
            yield from [{"start": 0}] * arch.array.acc_depth
        for layer in layers:
            fields = {name: v for name, v in layer.job.fields().items() if name in names}
            starts.append(len(rows))
            answer = {"start": 1, "job": fields}
            while True:
                yield answer
                row = rows[-1]
                answer = {"start": 0}
                for port, memory in (
                    ("feed", layer.acts), ("weight", layer.weights), ("scale", layer.scales),
                ):  # fmt: skip
                    if row[f"{port}.en"]:
                        at = row[f"{port}.addr"]
                        # the weight reader and the scales read ahead, beyond the end
                        answer[f"{port}.data"] = memory[at] if at < len(memory) else 0
                        assert port != "feed" or at < len(memory)
                if row["done"]:
                    break
                assert len(rows) < starts[-1] + 5000

    names = {name for name, _ in execute_layout()}
    rows = play(simulate, dut, stimuli, OUTPUTS)
    ends = [*starts[1:], len(rows)]
    for layer, start, end in zip(layers, starts, ends, strict=True):
        part = rows[start:end]
        writes = {row["write.addr"]: row["write.data"] for row in part if row["write.valid"]}
        assert writes == {3 + i: result for i, result in enumerate(layer.results)}
        assert sum(row["write.valid"] for row in part) == len(writes)
        assert {row["write.index"] for row in part if row["write.valid"]} == {2}
        assert {row["feed.index"] for row in part if row["feed.en"]} == {1}
        assert sum(row["takes"] for row in part) == layer.job.act_beats
        # the stage is left in the cycle after the last write at the earliest
        assert end - start == execute_cycles(arch, Tile(job=layer.job))


def decoding(**array):
    """A small machine of an index-decoding array."""
    memory = {"act_depth": 64, "weight_depth": 1024, "scale_depth": 16}
    return ArchConfig.model_validate({"name": "machine", "array": array, "memory": memory})


SPARTEN = {"family": "bitmask", "mask_depth": 64, "entry_depth": 256, "acc_depth": 8}
DESIGNS = {
    "os 4x4": design(4, 4),
    "os 4x4, latency 3": design(4, 4, mac_latency=3),
    "os 2x4": design(2, 4),
    "os 8x2": design(8, 2),
    "os 1x1": design(1, 1),
    "ws 4x4": design(4, 4, "ws"),
    "ws 2x8": design(2, 8, "ws"),
    "bitmask 4x4": design(4, 4, "ws", weight_stream="bitmask"),
    "bitmask 4x8, port 2": design(4, 8, "ws", weight_stream="bitmask", weight_port=2),
    "nm 4x4": design(4, 4, "ws", family="nm", n=2, m=4),
    "nm os 4x4": design(4, 4, family="nm", n=1, m=2),
    "sparten 4": decoding(**SPARTEN, pes=4, chunk=16, window=4, load_pes=2, drain_pes=2),
    "sparten 8": decoding(**SPARTEN, pes=8, chunk=32, window=2, load_pes=1, drain_pes=2),
    "sparten 2": decoding(**SPARTEN, pes=2, chunk=16, window=16, load_pes=2),
}


@pytest.mark.parametrize("arch", DESIGNS.values(), ids=DESIGNS)
def test_random_jobs(simulate, arch):
    rng = seeded(len(arch.name) + arch.array.multipliers)
    shape = MachineShape.of(arch)
    # of narrow words so many that those of the bank are whole
    words = shape.feed_beats * rng.integers(1, 5, 6)
    layers = [
        Layer(
            rng, arch, int(words[i]), int(rng.integers(1, 4)),
            int(rng.integers(1, min(8, arch.array.machine_pixels) + 1)), relu=bool(i % 2),
        )
        for i in range(6)
    ]  # fmt: skip
    run(simulate, arch, layers)


@pytest.mark.parametrize("arch", DESIGNS.values(), ids=DESIGNS)
def test_sums_that_leave_whole(simulate, arch):
    rng = seeded(arch.array.multipliers)
    beats = MachineShape.of(arch).feed_beats
    layers = [Layer(rng, arch, 4 * beats, folds, 1, raw=True) for folds in (1, 3, 2)]
    run(simulate, arch, layers)


EIE = {
    "family": "csc", "lanes": 4, "index_bits": 2, "fifo_depth": 2, "col_depth": 64,
    "entry_depth": 256, "acc_depth": 4,
}  # fmt: skip
GROUPED = {
    "4x4": decoding(**EIE, pes=4, window=1, load_pes=4),
    "4x2, window 2": decoding(**EIE | {"lanes": 2}, pes=4, window=2, load_pes=4),
    "8x4, window 2, 4 loaded": decoding(**EIE, pes=8, window=2, load_pes=4),
    "2x4, window 2": decoding(**EIE, pes=2, window=2, load_pes=2),
}


@pytest.mark.parametrize("raw", [False, True], ids=["activations", "sums"])
@pytest.mark.parametrize("arch", GROUPED.values(), ids=GROUPED)
def test_groups_and_weights_that_stay(simulate, arch, raw):
    rng = seeded(arch.array.multipliers + raw)
    beats = MachineShape.of(arch).feed_beats
    layers = []
    for index in range(5):
        words, folds = beats * int(rng.integers(1, 4)), int(rng.integers(1, 4))
        group, groups = int(rng.integers(1, arch.array.lanes + 1)), int(rng.integers(1, 6))
        relu = bool(index % 2) and not raw
        layer = Grouped(rng, arch, words, folds, group, groups, relu=relu, raw=raw)
        layers += [layer, *[layer.again(arch)] * int(rng.integers(0, 3))]
    run(simulate, arch, layers)
