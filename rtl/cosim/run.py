"""Run jobs on the generated array: generate, build once, play every job in one simulation."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile, get_runner

from hwsim.arrays.base import Job, Pauses, Run
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.contract.events import STREAM_EVENTS, STREAMS, stream_event
from hwsim.errors import InputError, SimulationError
from hwsim.rtl.cosim import runtime, toolchain
from hwsim.rtl.cosim.pack import pack, to_npz, unpack
from hwsim.rtl.cosim.places import building, is_plain
from hwsim.rtl.cosim.stream_bench import PAUSE_BITS, SOURCES, job_layout, result_layout, write_bench
from hwsim.rtl.emit.sidecar import describe
from hwsim.rtl.emit.verilog import generate
from hwsim.system.files import held, room_left, write_bytes_atomic, write_text_atomic

__all__ = [
    "SAIF",
    "WAVES",
    "Build",
    "RTLRun",
    "build",
    "play_job",
    "simulate_rtl",
]

#: Words of the bench's memories, at least: one build then serves jobs of many sizes.
MIN_DEPTH = {"verilator": 1 << 16, "icarus": 1 << 12}
#: File that a run of gates leaves in the folder of its build: how often each net changed.
SAIF = "dump.saif"
#: File that a run with waves leaves beside the Verilog, and what cocotb calls it.
WAVES, _DUMP = "waves.vcd", "dump.vcd"
#: How the folder of a run begins.
_RUN = "run."
#: Stem of the lock of a folder of builds.
_LOCK = ".build"
#: Lines of a log that an error shows.
TAIL = 15


@dataclass(frozen=True)
class RTLRun(Run):
    """What the generated array gave back; ``fault`` says what rule it broke, ``""`` for none."""

    fault: str = ""


@dataclass(frozen=True)
class Build:
    """A built simulation: its folder, and what its bench was written from."""

    arch: ArchConfig
    simulator: str
    folder: Path
    verilog: Path
    depth: int
    #: What a run leaves of its nets: ``SAIF``, ``WAVES`` or nothing.
    trace: str = ""

    @property
    def sidecar(self) -> dict[str, Any]:
        """What was written beside the Verilog."""
        content: dict[str, Any] = json.loads(self.verilog.with_suffix(".json").read_text())
        return content


def simulate_rtl(
    arch: ArchConfig,
    jobs: Sequence[Job],
    pauses: Sequence[Pauses] | None = None,
    *,
    build_dir: Path,
    simulator: str = "verilator",
    limits: Sequence[int] | None = None,
    resets: Mapping[int, int] | None = None,
    waves: bool = False,
    notify: Callable[[str], None] = lambda stage: None,
) -> list[RTLRun]:
    """Run jobs one after the other on the generated array.

    The array is reset once, before the first job: each job must leave it clean.

    Parameters
    ----------
    pauses
        Stall patterns of each job; none if absent.
    build_dir
        Holds NAME.v, NAME.json and the built simulation, which is used again while nothing changed.
    simulator
        ``verilator`` or ``icarus``.
    limits
        Cycles after which each job counts as hung; a generous bound by its size if absent.
    resets
        Job -> cycle: play the job up to that cycle, reset the array there, then play the job again.
    waves
        Leave ``WAVES`` beside the build. Verilator only.
    notify
        Called with what begins: ``generate``, ``build``, ``run``.

    Raises
    ------
    InputError
        A tool is missing or the folder cannot be written.
    SimulationError
        The build or the simulation failed; the message has the end of its log.
    """
    pauses = [{}] * len(jobs) if pauses is None else pauses
    busy = [index for index, job in enumerate(jobs) if job.transfers]
    runs = [_nothing(arch, job) for job in jobs]
    if not busy:
        return runs
    depth = max(max(job.transfers, *_words(job).values()) for job in jobs)
    plans = [
        _Plan(
            jobs[index],
            pauses[index],
            limits[index] if limits else _generous(jobs[index]),
            (resets or {}).get(index, -1),
        )
        for index in busy
    ]
    # the build, too, must stay as it is while it runs
    with held(Path(build_dir) / _LOCK, waits=True):
        built = _build(arch, build_dir, simulator, depth, "", waves, notify)
        notify("run")
        played = _play(built, plans)
    for index, run in zip(busy, played, strict=True):
        runs[index] = run
    return runs


def play_job(built: Build, job: Job) -> RTLRun:
    """Run one job on a built simulation, without pauses; a traced one leaves its ``SAIF``."""
    with held(built.verilog.parent / _LOCK, waits=True):
        return _play(built, [_Plan(job, {}, _generous(job), -1)])[0]


def build(
    arch: ArchConfig,
    build_dir: Path,
    *,
    simulator: str = "verilator",
    depth: int = 1,
    gates: str = "",
    waves: bool = False,
    notify: Callable[[str], None] = lambda stage: None,
) -> Build:
    """Generate a design and build its bench, unless the very same was built there before.

    Two processes may ask for the same build at once: the second waits and then uses the build of
    the first.

    Parameters
    ----------
    depth
        Words of the bench's memories; rounded up to a power of two, and to at least what serves
        most jobs.
    gates
        Verilog of the design mapped to gates: it takes the place of the generated one, and its nets
        are traced. Verilator only.
    waves
        A run leaves ``WAVES``, of every net. Verilator only.
    """
    with held(Path(build_dir) / _LOCK, waits=True):
        return _build(arch, build_dir, simulator, depth, gates, waves, notify)


def _build(
    arch: ArchConfig,
    build_dir: Path,
    simulator: str,
    depth: int,
    gates: str,
    waves: bool,
    notify: Callable[[str], None],
) -> Build:
    """Build a bench in a folder that is held."""
    toolchain.require(simulator)
    if waves and simulator != "verilator":
        raise InputError("arguments", "waves", waves, "must be absent: only verilator leaves waves")
    depth = 1 << (max(depth, MIN_DEPTH[simulator]) - 1).bit_length()
    build_dir = Path(build_dir).resolve()
    trace = SAIF if gates else WAVES if waves else ""
    folder = build_dir / (f"{simulator}-waves" if waves else simulator)
    with toolchain.active(simulator):
        notify("generate")
        verilog = generate(arch, build_dir)
        built = Build(arch, simulator, folder, verilog, depth, trace)
        bench, visible = write_bench(built.sidecar, depth, build_dir)
        arguments = toolchain.BUILD_ARGS[simulator]
        if gates:
            verilog = write_text_atomic(build_dir / f"{arch.name}.gates.v", gates)
            arguments = toolchain.TRACE_ARGS
        content = hashlib.sha256()
        for part in (verilog, bench, visible):
            content.update(part.read_bytes())
        content.update(json.dumps([arguments, toolchain.versions(simulator)]).encode())
        stamp = folder / "stamp"
        if stamp.is_file() and stamp.read_text() == content.hexdigest():
            return built
        notify("build")
        # a traced design needs a runtime of its own
        shares_runtime = simulator == "verilator" and not trace
        with building(folder) as fresh:
            if not is_plain(build_dir):
                visible, verilog, bench = (
                    Path(shutil.copy(source, fresh)) for source in (visible, verilog, bench)
                )
            control = [VerilatorControlFile(visible)] if simulator == "verilator" else []
            if shares_runtime:
                runtime.reuse(fresh)
            with _explained(fresh / "build.log", "build"):
                get_runner(simulator).build(
                    sources=[*control, verilog, bench],
                    hdl_toplevel="bench",
                    build_args=arguments,
                    build_dir=fresh,
                    timescale=("1ns", "1ps"),
                    always=True,
                    waves=bool(built.trace),
                    log_file=fresh / "build.log",
                )
            if shares_runtime:
                runtime.keep(fresh)
            write_text_atomic(fresh / stamp.name, content.hexdigest())
    return built


@dataclass(frozen=True)
class _Plan:
    """One job as it is to be played."""

    job: Job
    pauses: Pauses
    limit: int
    cut: int


def _play(built: Build, plans: list[_Plan]) -> list[RTLRun]:
    sidecar = built.sidecar
    job_words = describe(job_layout())
    cases: dict[str, np.ndarray] = {"cases": np.array(len(plans))}
    for index, plan in enumerate(plans):
        for name in SOURCES:
            limbs = pack(plan.job.inputs[name], sidecar["streams"][name])
            cases[f"{index}.{name}"] = limbs
        cases[f"{index}.job"] = pack(_settings(plan), job_words)
        cases[f"{index}.plan"] = np.array([plan.job.transfers, plan.cut, plan.limit])
    results = _simulate(built, cases)
    return [_collect(sidecar, plan, results, index) for index, plan in enumerate(plans)]


def _simulate(built: Build, cases: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run the testbench on a file of cases; its files are kept only where it fails."""
    for left in built.folder.glob(f"{_RUN}*"):  # of runs that were killed or failed
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_RUN, dir=built.folder))
    write_bytes_atomic(folder / "cases.npz", to_npz(cases))
    with toolchain.active(built.simulator), _explained(folder / "run.log", "simulation"):
        runner = get_runner(built.simulator)
        report = runner.test(
            hdl_toplevel="bench",
            hdl_toplevel_lang="verilog",
            test_module="hwsim.rtl.cosim.tb_bulk",
            build_dir=built.folder,
            test_dir=folder,
            seed=1,
            waves=bool(built.trace),
            log_file=folder / "run.log",
            extra_env={
                "HWSIM_RUN": str(folder),
                "PYTHONWARNINGS": "error::DeprecationWarning",
            },
        )
        tests, failed = get_results(report)
        if failed or not tests:
            raise RuntimeError(f"{failed} of {tests} testbenches failed")
    with np.load(folder / "results.npz") as file:
        results = dict(file)
    if built.trace == SAIF:
        (folder / SAIF).replace(built.folder / SAIF)
    elif built.trace:
        (folder / _DUMP).replace(built.verilog.parent / WAVES)
    shutil.rmtree(folder)
    return results


def _settings(plan: _Plan) -> dict[str, np.ndarray]:
    """Words for the bench's ``job`` port."""
    sizes = _words(plan.job) | {"ofmap": plan.job.transfers}
    settings = {f"words_{name}": np.array([size]) for name, size in sizes.items()}
    settings["limit"] = np.array([plan.limit])
    patterns = {name: np.asarray(plan.pauses.get(name, ()), dtype=bool) for name in sizes}
    unknown = set(plan.pauses) - set(sizes)
    if unknown:
        raise ValueError(f"pauses must name streams {list(sizes)}, not {sorted(unknown)}")
    for name, pattern in patterns.items():
        if len(pattern) > PAUSE_BITS:
            raise ValueError(f"pause pattern of {name} must have at most {PAUSE_BITS} cycles")
        # no pattern: a period of one cycle, not paused
        settings[f"period_{name}"] = np.array([max(1, len(pattern))])
    for name, pattern in patterns.items():
        bits = np.zeros(PAUSE_BITS, dtype=bool)
        bits[: len(pattern)] = pattern
        packed = np.packbits(bits, bitorder="little").view("<u4")
        settings[f"pause_{name}"] = packed.astype(np.int64)[np.newaxis]
    return settings


def _collect(sidecar: dict, plan: _Plan, results: dict[str, np.ndarray], index: int) -> RTLRun:
    """Run of one case from what the testbench read, and which rule it broke first."""
    job = plan.job
    empty = np.zeros(job.shape, dtype=np.int64)
    groups = sidecar["status"]["groups"]
    if f"{index}.result" not in results:
        return RTLRun(empty, Counts(0, {}), "the array takes no command before the run")
    result = unpack(results[f"{index}.result"], describe(result_layout(sidecar)))
    counts = Counts(
        int(result["cycles"][0]),
        {
            group: dict(zip(entry["causes"], result[f"count_{group}"][0].tolist(), strict=True))
            for group, entry in groups.items()
        },
        {stream_event(name): int(result[f"taken_{name}"][0]) for name in STREAMS}
        | {
            name: field["each"] * int(result[f"event_{name}"][0])
            for name, field in sidecar["events"]["fields"].items()
        },
    )
    taken = {name: int(result[f"taken_{name}"][0]) for name in SOURCES}
    if result["hung"][0]:
        seen = int(result["taken_ofmap"][0])
        fault = f"hung: {seen} of {job.transfers} transfers of ofmap in {counts.cycles} cycles"
        return RTLRun(empty, counts, fault)
    if f"{index}.ofmap" not in results:
        return RTLRun(empty, counts, "ofmap holds unknown bits")
    lanes = unpack(results[f"{index}.ofmap"], sidecar["streams"]["ofmap"])["psum"]
    ofmap = job.gather(lanes)
    if result["unstable"][0]:
        return RTLRun(ofmap, counts, "ofmap changed an offer that was not taken")
    if result["spurious"][0]:
        return RTLRun(ofmap, counts, "ofmap offered more than the job's transfers")
    for name, words in _words(job).items():
        if taken[name] != words:
            return RTLRun(ofmap, counts, f"{taken[name]} of {words} words of {name} were taken")
    return RTLRun(ofmap, counts)


def _nothing(arch: ArchConfig, job: Job) -> RTLRun:
    """Run of a job with nothing to do: no cycle passes."""
    zero = {group: dict.fromkeys(names, 0) for group, names in arch.array.cause_names.items()}
    events = dict.fromkeys((*STREAM_EVENTS, *arch.array.strobes), 0)
    return RTLRun(np.zeros(job.shape, dtype=np.int64), Counts(0, zero, events))


def _words(job: Job) -> dict[str, int]:
    """Words of each input stream."""
    return {
        name: len(next(iter(job.inputs[name].values()))) if name in job.inputs else 0
        for name in SOURCES
    }


def _generous(job: Job) -> int:
    """More cycles than any array needs: every word may occupy it for long."""
    return 100_000 + 5_000 * (sum(_words(job).values()) + job.transfers)


@contextmanager
def _explained(log: Path, what: str) -> Iterator[None]:
    """Turn a failure of cocotb's runner, which may also exit, into an error with the log's end."""
    try:
        yield
    except (RuntimeError, ValueError, SystemExit) as error:
        text = log.read_text(errors="replace") if log.is_file() else ""
        end = "\n".join(text.splitlines()[-TAIL:])
        why = f"{error}{room_left(log.parent)}"
        raise SimulationError(f"{what} failed: {why}; {log} ends:\n{end}") from error
