"""The machine in Verilator: networks from memory, values and every counter; faults and stops."""

from dataclasses import replace

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import ARRAYS, small_machine

from hwsim.accelerator.program import CONSTANTS, OUTPUTS
from hwsim.accelerator.simulate import simulate
from hwsim.accelerator.tile import ArrayJob, VectorJob
from hwsim.compiler.compile import compile_network
from hwsim.config import MemoryConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, pack, places, unpack
from hwsim.contract.machine import STALL_LIMIT
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.rtl.cosim import machine_bench
from hwsim.verification import machine
from hwsim.verification.networks import random_checkpoint, random_work

SIZE = 1 << 16


def memory(latency=1, bytes_per_cycle=4, **others):
    return MemoryConfig(
        name="test", source="test", latency=latency, bytes_per_cycle=bytes_per_cycle, **others
    )


@pytest.fixture(scope="session", params=ARRAYS)
def bench(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    return machine_bench.build(small_machine(request.param), folder, SIZE)


def job_of(compiled, memory, **others):
    return machine.job_of(compiled.program, memory, 3_000_000, **others)


def check(compiled, expected, job, *outcomes):
    """Hold runs to the golden model and to the fast form."""
    counters = simulate(compiled.program, job.memory).counters()
    for outcome in outcomes:
        assert outcome.ended
        assert outcome.error == "none"
        assert (compiled.outputs(outcome.output) == expected).all()
        assert outcome.counters == counters


def case(arch, seed, images=None):
    """A random network that fits, compiled, with its images and results.

    With ``images`` for so many, and its last layers are fully connected.
    """
    rng = seeded(seed)
    while True:
        network, checkpoint = random_work(rng, arch)
        count = int(rng.integers(1, 4)) if images is None else images
        if images is not None and network.layers[-1].type != "fc":
            continue
        try:
            compiled = compile_network(arch, network, checkpoint, count)
        except InputError:
            continue
        if compiled.program.size > SIZE:
            continue
        size = (count, network.input.channels, network.input.height, network.input.width)
        act = rng.integers(-128, 128, size=size).astype(np.int8)
        acts = golden.run(network, checkpoint, act).ifmap
        compiled = compile_network(arch, network, checkpoint, count, acts)
        return compiled, act, golden.logits(network, checkpoint, act)


@pytest.mark.parametrize("seed", range(20))
def test_random_networks(bench, seed):
    compiled, act, expected = case(bench.arch, seed)
    rng = seeded(1000 + seed)
    memories = [memory()] + [
        memory(
            int(rng.integers(1, 200)), int(rng.integers(1, 5)), outstanding=int(rng.integers(1, 5))
        )
        for _ in range(2)
    ]
    jobs = [job_of(compiled, each) for each in memories]
    for job, outcome in zip(jobs, machine_bench.run(bench, compiled.image(act), jobs), strict=True):
        check(compiled, expected, job, outcome)


def test_maps_side_by_side(bench):
    """A join's results all have the scale of their input, whatever loops they take."""
    conv = {"type": "conv", "inputs": ["input"]}
    network = parse(
        NetworkConfig,
        {
            "name": "side_by_side",
            "input": {"channels": 3, "height": 6, "width": 5},
            "layers": [
                conv | {"name": "a", "M": 16, "R": 3, "padding": 1, "relu": True},
                conv | {"name": "b", "M": 5, "R": 1},
                {"name": "c", "type": "concat", "inputs": ["a", "b"]},
                {"name": "d", "type": "conv", "M": 6, "R": 2},
            ],
        },
        "test",
    )
    rng = seeded(11)
    checkpoint = random_checkpoint(rng, network)
    act = rng.integers(-128, 128, size=(1, 3, 6, 5)).astype(np.int8)
    trace = golden.run(network, checkpoint, act)
    compiled = compile_network(bench.arch, network, checkpoint, 1, trace.ifmap)
    job = job_of(compiled, memory())
    check(compiled, trace.logits, job, *machine_bench.run(bench, compiled.image(act), [job]))


@pytest.mark.parametrize("images", [4, 5, 17])
def test_images_go_together_as_many_as_a_job_takes(bench, images):
    compiled, act, expected = case(bench.arch, 60 + images, images)
    job = job_of(compiled, memory(5, 3))
    check(compiled, expected, job, *machine_bench.run(bench, compiled.image(act), [job]))


def damaged(compiled, act, index, **fields):
    """Memory whose descriptor ``index`` has other fields."""
    image = compiled.image(act)
    at = slice(index * DESCRIPTOR_BYTES, (index + 1) * DESCRIPTOR_BYTES)
    values = unpack(image[at].view("<u4").tolist()) | fields
    image[at] = np.array(pack(values), "<u4").view(np.uint8)
    return image


def followed(compiled, act, image, job):
    """Memory with the undamaged program behind ``image``, and the job that runs it."""
    both = np.concatenate([image, np.zeros(-len(image) % 4096, np.uint8)])
    shift = len(both)
    bases = tuple(base + shift for base in job.regions)
    after = replace(
        job, program=shift, regions=bases, output=(job.output[0] + shift, job.output[1])
    )
    return np.concatenate([both, compiled.image(act)]), after


def case_that_fits_twice(arch, seed):
    """The first case from this seed on whose program lies in the memory twice."""
    while True:
        found = case(arch, seed)
        if 2 * found[0].program.size <= SIZE - 4096:
            return found
        seed += 1


def with_a_job(arch):
    """A case, and a descriptor that loads weights and executes a job of several results."""
    for seed in range(100, 200):
        compiled, act, expected = case_that_fits_twice(arch, seed)
        for index, tile in enumerate(compiled.program.tiles):
            if len(tile.loads) > 1 and tile.job is not None and tile.job.post.bounds[0] > 1:
                return compiled, act, expected, index
    raise AssertionError("no such case")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"kind": 3}, "descriptor"),
        ({"command_1": 0}, "descriptor"),
        ({"command_1": 17}, "descriptor"),
        ({"write_bank": 7}, "descriptor"),
        ({"load0_target": 7}, "descriptor"),
        ({"load0_index": 5}, "descriptor"),
        ({"load0_rows": 0}, "descriptor"),
        ({"load1_words": 1000}, "descriptor"),
        ({"load0_row_step": 2}, "descriptor"),
        ({"load1_address": 0x1001}, "descriptor"),
        ({"stores": 1, "store_rows": 1, "store_words": 1, "store_address": 2}, "descriptor"),
        ({"load1_beats": 1}, "descriptor"),
        ({"load0_to": 0xFFF0}, "descriptor"),
        ({"load1_rows": 2, "load1_to_step": 0x4000}, "descriptor"),
        ({"carry": 1, "command_0": 0x00020001}, "descriptor"),
        ({"stores": 1, "store_bank": 0, "store_rows": 0}, "descriptor"),
        ({"feed0_bound": 1, "feed1_bound": 1, "feed2_bound": 1, "feed3_bound": 1}, "stalled"),
        ({"post0_bound": 1, "post1_bound": 1, "post2_bound": 1}, "stalled"),
        ({"post0_bound": 60000}, "stalled"),
        ({"command_0": 0x00010100}, "stalled"),
    ],
    ids=str,
)
def test_a_bad_descriptor_ends_the_run_and_the_next_is_right(bench, fields, error):
    if "command_1" in fields and bench.arch.array.machine_pixels >= 17 == fields["command_1"]:
        # as many pixels as one likes: the feeder does not have them
        error = "stalled"
    compiled, act, expected, index = with_a_job(bench.arch)
    job = job_of(compiled, memory(20, 2))
    both, after = followed(compiled, act, damaged(compiled, act, index, **fields), job)
    failed, right = machine_bench.run(bench, both, [job, after])
    assert failed.ended
    assert (failed.error, failed.error_index) == (error, index)
    check(compiled, expected, after, right)


def test_a_vector_job_that_is_fed_too_much_ends_the_run(bench):
    """What is left in the vector unit would be the next job's."""
    for seed in range(100, 200):
        compiled, act, expected = case_that_fits_twice(bench.arch, seed)
        tiles = compiled.program.tiles
        found = [i for i, tile in enumerate(tiles) if isinstance(tile.job, VectorJob)]
        if found:
            break
    index = found[0]
    bound = tiles[index].job.fields()["feed5_bound"]
    image = damaged(compiled, act, index, feed5_bound=bound + 1)
    job = job_of(compiled, memory())
    both, after = followed(compiled, act, image, job)
    failed, right = machine_bench.run(bench, both, [job, after])
    assert (failed.error, failed.error_index) == ("stalled", index)
    check(compiled, expected, after, right)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_descriptor_says_the_next_run_is_right(bench, seed):
    """Fields with any value: the run ends, by itself or when it is stopped, and leaves nothing."""
    rng = seeded(600 + seed)
    compiled, act, expected, _ = with_a_job(bench.arch)
    good, job = compiled.image(act), job_of(compiled, memory(5, 4))
    plain = simulate(compiled.program, job.memory)
    # not those that write: the second program lies in the same memory
    names = [name for name in places() if not name.startswith("store")]
    for _ in range(10):
        index, name = int(rng.integers(len(compiled.program.tiles))), str(rng.choice(names))
        room = 1 << places()[name][1]
        # a little more than it was is the likeliest not to be noticed
        at = slice(index * DESCRIPTOR_BYTES, (index + 1) * DESCRIPTOR_BYTES)
        was = unpack(good[at].view("<u4").tolist())[name]
        value = int(rng.choice([was + rng.integers(1, 8), rng.integers(room)])) % room
        image = damaged(compiled, act, index, **{name: value})
        both, after = followed(compiled, act, image, job)
        first = replace(job, stop=int(rng.integers(1, 2 * plain.cycles)))
        bad, right = machine_bench.run(bench, both, [first, after])
        where = f"descriptor {index}: {name} = {value}, stopped at {first.stop}: {bad.error}"
        assert bad.ended, where
        assert bad.waited < first.stop + STALL_LIMIT + 5000, where
        assert right.error == "none", where
        assert (compiled.outputs(right.output) == expected).all(), where
        assert right.counters == plain.counters(), where


@pytest.mark.parametrize("seed", [108, 114, 130, 152])
def test_whatever_weights_are_loaded_the_next_run_is_right(bench, seed):
    """Some bytes of constants with any value: in the end nothing of them is left in the array."""
    compiled, act, expected = case_that_fits_twice(bench.arch, seed)
    rng = seeded(seed)
    good, job = compiled.image(act), job_of(compiled, memory(5, 4))
    plain = simulate(compiled.program, job.memory)
    program = compiled.program
    begin, end = program.constants_at, program.constants_at + program.constants.size
    for _ in range(16):
        image = good.copy()
        # few, so that most jobs still end by themselves
        places = rng.integers(begin, end, size=8)
        image[places] = rng.integers(256, size=8)
        both, after = followed(compiled, act, image, job)
        bad, right = machine_bench.run(bench, both, [replace(job, stop=2 * plain.cycles), after])
        assert bad.ended, places
        assert right.error == "none", places
        assert (compiled.outputs(right.output) == expected).all(), places
        assert right.counters == plain.counters(), places


def test_a_run_waits_until_the_accumulators_are_zeroed(tmp_path):
    arch = small_machine("csc", array=ARRAYS["csc"] | {"acc_depth": 4096})
    compiled, act, expected = case(arch, 0)
    job = job_of(compiled, memory())
    first = next(i for i, t in enumerate(compiled.program.tiles) if isinstance(t.job, ArrayJob))
    assert simulate(compiled.program, job.memory).timeline.execute[first] < 4000
    bench = machine_bench.build(arch, tmp_path, SIZE)
    check(compiled, expected, job, *machine_bench.run(bench, compiled.image(act), [job, job]))


def test_a_program_for_another_design(bench):
    """The driver refuses it where it sees the program, the machine where it does not."""
    compiled, act, expected = case_that_fits_twice(bench.arch, 3)
    job = job_of(compiled, memory())
    both, after = followed(compiled, act, damaged(compiled, act, 0, command_0=1), job)
    seen, unseen, right = machine_bench.run(
        bench, both, [replace(job, limit=100), replace(job, blind=True), after]
    )
    assert (seen.started, seen.ended) == (-2, False)
    assert (unseen.started, unseen.error, unseen.error_index) == (0, "design", 0)
    assert right.started == 0
    check(compiled, expected, after, right)


@pytest.mark.parametrize(
    "changes", [{"length": 0}, {"program": 2}, {"regions": (0, 0x1001, 0x2000, 0)}], ids=str
)
def test_a_program_that_lies_nowhere(bench, changes):
    """No descriptor, or an address within a beat."""
    compiled, act, expected = case(bench.arch, 3)
    job = job_of(compiled, memory())
    wrong = replace(job, blind=True, **changes)
    bad, right = machine_bench.run(bench, compiled.image(act), [wrong, job])
    assert (bad.error, bad.error_index) == ("descriptor", 0)
    check(compiled, expected, job, right)


@pytest.mark.parametrize("part", ["descriptors", "constants", "outputs"])
def test_a_bus_error_ends_the_run_and_the_next_is_right(bench, part):
    """It names the descriptor whose fetch, load or store met the error."""
    compiled, act, expected = case(bench.arch, 5)
    program = compiled.program
    if part == "descriptors":
        first, error, index = 2 * DESCRIPTOR_BYTES, "read", 2
    elif part == "constants":
        first, error = program.constants_at, "read"
        blocks = [[(load.region, load.address) for load in tile.loads] for tile in program.tiles]
        index = next(i for i, found in enumerate(blocks) if (CONSTANTS, 0) in found)
    else:
        first, error = program.bases()[OUTPUTS], "write"
        stores = [tile.store for tile in program.tiles]
        index = next(i for i, s in enumerate(stores) if s and (s.region, s.address) == (OUTPUTS, 0))
    job = job_of(compiled, memory(10, 3))
    faulty = replace(job, fault=(first, first + 3))
    failed, right = machine_bench.run(bench, compiled.image(act), [faulty, job])
    assert failed.ended
    assert (failed.error, failed.error_index) == (error, index)
    check(compiled, expected, job, right)


@pytest.mark.parametrize("cycle", [0, 3, 40, 333, 1500])
def test_a_stop_at_any_time(bench, cycle):
    compiled, act, expected = case(bench.arch, 7)
    plain = job_of(compiled, memory(30, 1))
    stopped = job_of(compiled, memory(30, 1), stop=cycle)
    outcomes = machine_bench.run(bench, compiled.image(act), [stopped, plain, stopped, plain])
    for first, second in (outcomes[:2], outcomes[2:]):
        assert first.ended
        assert first.error == "stopped"
        check(compiled, expected, plain, second)


@pytest.mark.parametrize("cycle", [1, 40, 500, 1500])
def test_a_reset_in_mid_run(bench, cycle):
    compiled, act, expected = case(bench.arch, 7)
    plain = job_of(compiled, memory(30, 1))
    cut, right = machine_bench.run(bench, compiled.image(act), [replace(plain, reset=cycle), plain])
    assert not cut.ended
    assert cut.counters["cycles"] == 0
    check(compiled, expected, plain, right)


def test_a_second_start_is_ignored(bench):
    compiled, act, expected = case(bench.arch, 7)
    job = job_of(compiled, memory(30, 1), again=200)
    check(compiled, expected, job, *machine_bench.run(bench, compiled.image(act), [job]))
