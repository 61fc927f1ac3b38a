"""Compiled networks: layouts, what is loaded when, and what does not fit."""

from itertools import pairwise

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import blank, small_machine

from hwsim.accelerator.simulate import simulate
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.compile import compile_network
from hwsim.compiler.hazards import needs_barrier
from hwsim.compiler.layout import Map
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig, TensorShape
from hwsim.config.base import parse
from hwsim.contract.descriptors import pack, unpack
from hwsim.errors import InputError
from hwsim.verification.networks import random_checkpoint, random_network


def network(*layers, channels=3, size=8):
    raw = {
        "name": "net",
        "input": {"channels": channels, "height": size, "width": size},
        "layers": list(layers),
    }
    return parse(NetworkConfig, raw, "test")


def test_words_are_packed_from_the_lowest_bit_up():
    fields = [(np.array([[1, -1], [2, 0]]), 3), (np.array([[5], [6]]), 4)]
    packed = to_bytes(fields, 16)
    assert packed.view("<u2").ravel().tolist() == [1 | 7 << 3 | 5 << 6, 2 | 6 << 6]
    with pytest.raises(ValueError, match="10 bits must fit a word of whole bytes, not 9 bits"):
        to_bytes(fields, 9)


def test_descriptors_come_back():
    rng = seeded(1)
    words = rng.integers(0, 1 << 32, size=32).tolist()
    fields = unpack(words)
    assert unpack(pack(fields)) == fields
    assert unpack(pack({"feed0_step": -3}))["feed0_step"] == 0xFFFD
    with pytest.raises(ValueError, match="no field 'nothing'"):
        pack({"nothing": 1})
    with pytest.raises(ValueError, match="kind must fit 2 bits, not 4"):
        pack({"kind": 4})


@pytest.mark.parametrize(
    ("height", "width", "border"), [(3, 4, 1), (1, 1, 2), (5, 2, 3), (2, 2, 0)]
)
def test_edges_are_the_border_and_nothing_else(height, width, border):
    shape = TensorShape(channels=5, height=height, width=width)
    found = Map(shape, 4, start=7, border=border)
    words = np.zeros(7 + found.words, int)
    for start, row, rows, step in found.edges():
        for index in range(rows):
            words[start + index * step : start + index * step + row] += 1
    for y in range(height):
        for x in range(width):
            first = found.pixel(y, x)
            words[first : first + found.blocks] += 1
    assert (words[7:] == 1).all()
    assert not words[:7].any()


@pytest.mark.parametrize("seed", range(40, 60))
def test_neighbours_never_share_a_port(seed):
    rng = seeded(seed)
    while True:
        net = random_network(rng)
        try:
            compiled = compile_network(small_machine(), net, random_checkpoint(rng, net), 3)
            break
        except InputError:
            continue
    tiles = compiled.program.tiles
    for index, tile in enumerate(tiles):
        assert tile.barrier == needs_barrier(tiles[:index], tile, compiled.program.shape)
    for before, tile in pairwise(tiles):
        if tile.barrier:
            continue
        for load in tile.loads:
            if load.target == "act" and before.job is not None:
                assert load.index != before.job.write_bank
        if tile.job is not None and before.store is not None:
            assert tile.job.read_bank != before.store.bank


def test_a_compile_gives_the_same_bytes_twice():
    layers = {"name": "c", "type": "conv", "M": 5, "R": 3}, {"name": "f", "type": "fc", "M": 3}
    net = network(*layers, size=5)
    images = [
        compile_network(small_machine(), net, blank(net), 2).program.image().tobytes()
        for _ in range(2)
    ]
    assert images[0] == images[1]


@pytest.mark.parametrize(
    ("layers", "size", "message"),
    [
        ([{"name": "f", "type": "fc", "M": 3}], 2, "layers.0.type = 'fc'"),
        (
            [
                {"name": "c", "type": "conv", "M": 80, "R": 1},
                {"name": "d", "type": "conv", "M": 4, "R": 8},
            ],
            8,
            "memory.act_depth = 1024: must be more: a part of d, needs 1280 words to be read",
        ),
        (
            [
                {"name": "c", "type": "conv", "M": 40, "R": 1},
                {"name": "d", "type": "conv", "M": 4, "R": 3},
            ],
            4,
            "must be at most memory.weight_depth, 256",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(layers, size, message):
    net = network(*layers, size=size)
    with pytest.raises(InputError) as error:
        compile_network(small_machine(), net, blank(net))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("filters", [2, 5])
def test_whole_sums_of_an_image_begin_with_a_word(filters):
    """A word holds 8 beats of results: more than the whole sums of a fold of filters take."""
    array = {"family": "dense", "dataflow": "os", "rows": 2, "cols": 16}
    layers = (
        {"name": "c", "type": "conv", "M": 3, "R": 3},
        {"name": "f", "type": "fc", "M": filters},
    )
    net = network(*layers, size=4)
    compiled = compile_network(small_machine(array=array), net, blank(net), 3)
    tiles = compiled.program.tiles
    store = tiles[-1].store
    assert store is not None
    beats = np.zeros((store.words * 8, 2), np.uint8)
    expected = seeded(filters).integers(-(1 << 31), 1 << 31, size=(3, filters))
    jobs = [tile.job for tile in tiles if tile.layer == "f"]
    for image, job in enumerate(jobs):
        lanes = np.zeros(-(-filters // 2) * 2, "<i4")
        lanes[:filters] = expected[image]
        at = job.post.start - store.start * 8
        beats[at : at + 2 * len(lanes)] = lanes.view(np.uint8).reshape(-1, 2)
    assert (compiled.outputs(beats.reshape(-1)) == expected).all()


def test_more_loops_than_the_feeder_has_are_one_line():
    """Blocks that are too full and taps that are apart: two loops more than a plain layer's."""
    conv = {"name": "d", "type": "conv", "M": 6, "R": 2, "dilation": 2}
    net = network({"name": "c", "type": "conv", "M": 10, "R": 1}, conv, {**conv, "name": "e"})
    full = blank(net)
    full.layers["d"].weight[:] = 1
    with pytest.raises(InputError, match=r"d\.dilation = 2: needs 7 loops of the feeder"):
        compile_network(small_machine("nm"), net, full)


def test_maps_that_do_not_fit_lie_in_memory():
    layers = (
        {"name": "c", "type": "conv", "M": 90, "R": 3, "padding": 1},
        {"name": "d", "type": "conv", "M": 3, "R": 3, "padding": 1},
    )
    net = network(*layers, size=12)
    memory = {"act_banks": 3, "act_depth": 1024, "weight_depth": 1024, "scale_depth": 4}
    found = compile_network(small_machine(memory=memory), net, blank(net))
    # 23 words of each pixel, with the border
    assert found.program.map_bytes == 4 * 23 * 14 * 14
    tiles = [tile for tile in found.program.tiles if tile.layer == "d"]
    read = sum(load.rows * load.words for t in tiles for load in t.loads if load.target == "act")
    assert read >= 23 * 14 * 14


def test_beats_wider_than_words_keep_maps_on_chip():
    layers = (
        {"name": "c", "type": "conv", "M": 90, "R": 3},
        {"name": "p", "type": "maxpool", "R": 2},
    )
    net = network(*layers, size=12)
    bus = {"data_width": 64, "burst": 4, "outstanding": 2}
    with pytest.raises(InputError, match=r"bus.data_width = 64: must be at most 32"):
        compile_network(small_machine(bus=bus), net, blank(net))


def test_an_array_alone_runs_nothing():
    net = network({"name": "c", "type": "conv", "M": 5, "R": 3})
    with pytest.raises(InputError, match="an array without a machine around it"):
        compile_network(ArchConfig.read("dense_8x8_ws"), net, blank(net))


@pytest.mark.parametrize("dataflow", ["ws", "os"])
@pytest.mark.parametrize("size", [3, 5, 8, 10])
def test_tiles_cover_every_pixel_once(dataflow, size):
    arch = small_machine(dataflow)
    net = network(
        {"name": "c", "type": "conv", "M": 6, "R": 3, "padding": 1},
        {"name": "d", "type": "conv", "M": 3, "R": 1},
        channels=4, size=size,
    )  # fmt: skip
    tiles = compile_network(arch, net, blank(net)).program.tiles
    jobs = [tile.job for tile in tiles if tile.layer == "c"]
    written = [
        job.post.start + x * job.post.strides[0] + y * job.post.strides[1] + fold
        for job in jobs
        for fold in range(job.post.bounds[2])
        for y in range(job.post.bounds[1])
        for x in range(job.post.bounds[0])
    ]
    assert len(written) == len(set(written)) == 2 * size * size
    assert all(job.pixels == job.post.bounds[0] * job.post.bounds[1] for job in jobs)
    most = arch.array.machine_pixels
    assert max(job.pixels for job in jobs) <= most
    # rows and columns of an output-stationary array's folds are cut so that they fill best
    if dataflow == "os":
        assert len(jobs) == {3: 3, 5: 9, 8: 16, 10: 25}[size]


@pytest.mark.parametrize(("dataflow", "cycles"), [("ws", 108_945), ("os", 113_178)])
def test_lenet5_takes_these_cycles(dataflow, cycles):
    """Golden: ``hwsim simulate machine_dense_8x8_ws lenet5 --memory ideal``, and with ``os``."""
    net = NetworkConfig.read("lenet5")
    compiled = compile_network(ArchConfig.read(f"machine_dense_8x8_{dataflow}"), net, blank(net))
    run = simulate(compiled.program, MemoryConfig.read("ideal"))
    assert run.cycles == cycles


@pytest.mark.parametrize(
    "layer",
    [
        {"name": "odd", "type": "activation", "function": "silu"},
        {"name": "odd", "type": "mul", "inputs": ["c", "c"]},
        {"name": "odd", "type": "slice", "M": 2},
        {"name": "odd", "type": "shuffle", "G": 2},
        {"name": "odd", "type": "upsample", "stride": 2},
        {"name": "odd", "type": "depth_to_space", "stride": 2},
        {"name": "odd", "type": "space_to_depth", "stride": 2},
        {"name": "odd", "type": "crop", "padding": 1},
    ],
)
def test_what_a_machine_has_no_unit_for_is_one_line(layer):
    net = network({"name": "c", "type": "conv", "M": 4, "R": 1}, layer)
    kind = layer["type"]
    with pytest.raises(InputError) as error:
        compile_network(small_machine(), net, blank(net))
    assert f"layers.odd.type = '{kind}': runs on no machine" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_average_of_the_pixels_inside_is_one_line():
    pool = {"name": "odd", "type": "avgpool", "R": 2, "padding": 1, "count_include_pad": False}
    net = network({"name": "c", "type": "conv", "M": 4, "R": 1}, pool)
    with pytest.raises(InputError, match=r"odd\.count_include_pad = False: runs on no"):
        compile_network(small_machine(), net, blank(net))
