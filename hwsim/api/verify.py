"""The simulator against the generated Verilog."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import image_count, several, whole
from hwsim.api.machine import choose_weights, prepare, read_memory
from hwsim.api.read import Resolved, read_arch, read_checkpoint, resolved
from hwsim.errors import InputError
from hwsim.system.interrupts import keeping

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
    from hwsim.verification.cases import Case
    from hwsim.verification.machine import MachineVerification
    from hwsim.verification.result import Verification
    from hwsim.workload.outside import Outside

__all__ = ["verify"]

#: More cycles than any run takes.
_FOREVER = 1 << 62


def verify(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig | None = None,
    weights: str | Path | Checkpoint | None = None,
    *,
    random: int | None = None,
    layers: str | Sequence[str] = (),
    images: int = 1,
    seed: int = 0,
    simulator: str = "verilator",
    memory: str | Path | MemoryConfig | None = None,
    waves: bool = False,
    waves_cycles: tuple[int, int] | None = None,
    outside: str | None = None,
    out: str | Path | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Verification | MachineVerification:
    """Generate a design, run its Verilog, and compare it with the simulator: bits and cycles.

    Of a design with a machine, the machine runs whole networks from memory: random ones, and
    ``network``. Values are held to the golden model, and its counters to the fast form. Else the
    array runs layers:

    Every case runs on the cycle model; above 20,000 cycles, without pauses, the fast form stands in
    for it, and the comparison says so. All cases run in one simulation of the Verilog, without
    resets between them. Needs the extra ``rtl``, g++, make and perl.

    Parameters
    ----------
    arch
        Design: name, path or ``ArchConfig``.
    network
        Network whose layers are cases too, on real images: name, path or ``NetworkConfig``.
    weights
        Its weights, as of :func:`read_checkpoint`; by default the shipped checkpoint
        ``<network>_<kind>`` of the kind that the design's family consumes. For a machine random
        ones where none ships.
    random
        Number of random cases (default: 50, or 0 with a network).
    layers
        Name or names of the network's layers to run (default: all with weights).
    images
        Batch of the layers.
    seed
        Seed of the random cases.
    simulator
        ``"verilator"`` or ``"icarus"``.
    memory
        Memory that a machine runs ``network`` from: name in ``configs/memory``, path, or
        ``MemoryConfig`` (default: ``ideal``). Random cases draw theirs.
    waves
        Leave the waves of all signals (VCD) beside the build. Verilator only. Of a machine those of
        the first case that differs, else of the last one.
    waves_cycles
        Waves of a machine, from one cycle to before another, counted from the start of the run: a
        cycle takes some 10 KB.
    outside
        As of :func:`simulate`; of an array alone.
    out
        Folder for the Verilog and the build, which is used again while nothing changes (default:
        ``build/verify/<design>``).
    progress
        Called with a stage (``simulate``, ``generate``, ``build``, ``run``), the number of cases
        simulated, and the number of cases.

    Returns
    -------
    Verification or MachineVerification
        One comparison per case: cycles of both sides, the model, the first difference.

    Raises
    ------
    InputError
        An argument cannot be read, a case does not fit the design, or a tool is missing.
    hwsim.errors.SimulationError
        The build or the Verilog simulation failed by itself.
    """
    from hwsim.verification.cases import random_cases
    from hwsim.verification.result import Verification
    from hwsim.verification.run import verify as run
    from hwsim.workload.outside import outside_of

    start = time.monotonic()
    design, layers = read_arch(arch), several("layers", layers, (str,))
    images, seed = image_count(images), whole("seed", seed)
    random = None if random is None else whole("random", random)
    count = random if random is not None else (0 if network is not None else 50)
    folder = Path(out or Path("build/verify") / design.name)
    recorded = _recorded(design, waves, waves_cycles)
    if design.memory is not None:
        if layers or simulator != "verilator":
            key, value = ("layers", layers) if layers else ("simulator", simulator)
            rule = "must be left out: a machine runs whole networks, in verilator"
            raise InputError("arguments", key, value, rule)
        return _machine(
            design, network, weights, count, images, seed, memory, folder, recorded, progress
        )
    if memory is not None:
        rule = "must be absent: an array alone has no memory outside"
        raise InputError("arguments", "memory", str(memory), rule)
    cases, called = random_cases(design, count, seed), None
    beside: list[Outside] = []
    if network is not None:
        given = resolved(network, weights, seed=seed, outside=outside)
        given.network.must_have_weights()
        beside = outside_of(given.network)
        drawn, called = _layer_cases(design, given, layers, images, seed)
        cases += drawn
    elif layers or weights is not None:
        key = "layers" if layers else "weights"
        raise InputError("arguments", key, None, "needs a network")
    if not cases:
        raise InputError("arguments", "random", random, "must be at least 1 without a network")
    with keeping(_kept(folder)):
        comparisons = run(design, cases, folder, simulator, progress, waves=waves)
    return Verification(
        design, simulator, comparisons, folder / f"{design.name}.v",
        round(time.monotonic() - start, 3), seed, called, beside,
    )  # fmt: skip


def _recorded(design: ArchConfig, waves: bool, cycles: tuple[int, int] | None) -> range | None:
    """Cycles of a run whose waves are left: all, or those between two numbers."""
    if cycles is None:
        return range(_FOREVER) if waves else None
    if design.memory is None:
        rule = "must be absent: waves of an array alone are those of all cycles"
        raise InputError("arguments", "waves_cycles", cycles, rule)
    numbers = [whole("waves_cycles", each) for each in several("waves_cycles", cycles, (int,))]
    if len(numbers) != 2 or numbers[1] <= numbers[0]:
        raise InputError("arguments", "waves_cycles", cycles, "must be a cycle and a later one")
    return range(*numbers)


def _kept(folder: Path) -> str:
    return f"no results were written; what was built is in {folder}"


def _machine(
    design: ArchConfig,
    network: str | Path | NetworkConfig | None,
    weights: str | Path | Checkpoint | None,
    count: int,
    images: int,
    seed: int,
    memory: str | Path | MemoryConfig | None,
    folder: Path,
    waves: range | None,
    progress: Callable[[str, int, int], None],
) -> MachineVerification:
    from hwsim.verification import machine

    start = time.monotonic()
    cases, words = machine.random_cases(design, count, seed), None
    if network is not None:
        given = resolved(network, weights, seed=seed)
        net, model = given.network, read_memory("ideal" if memory is None else memory)
        chosen, words = choose_weights(design, net, given.checkpoint, seed)
        prepared = prepare(design, net, chosen, images, None, seed, model)
        cases.append(machine.MachineCase(net.name, prepared, model))
    elif weights is not None or memory is not None:
        key = "weights" if weights is not None else "memory"
        raise InputError("arguments", key, None, "needs a network")
    if not cases:
        raise InputError("arguments", "random", count, "must be at least 1 without a network")
    with keeping(_kept(folder)):
        comparisons, verilog = machine.verify_machine(
            design, cases, folder, waves=waves, notify=progress
        )
    seconds = round(time.monotonic() - start, 3)
    return machine.MachineVerification(design, comparisons, verilog, seconds, seed, words)


def _layer_cases(
    design: ArchConfig, given: Resolved, layers: Sequence[str], images: int, seed: int
) -> tuple[list[Case], str]:
    """Cases of a network's layers, and their weights in words.

    Without weights those of the shipped checkpoint of the kind that the design's family consumes,
    else synthetic ones.
    """
    from hwsim.checkpoints.synthetic import label
    from hwsim.engine.network import arranged, synthetic_layers
    from hwsim.inference.operands import operands_of
    from hwsim.verification.cases import layer_cases

    network, checkpoint, name = given.network, given.checkpoint, given.name

    known = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    for name in layers:
        if name not in known:
            rule = f"must be a layer with weights: {', '.join(known)}"
            raise InputError("arguments", "layers", name, rule)
    if checkpoint is None:
        name = f"{network.name}_{design.array.checkpoint_kind}"
        try:
            checkpoint = read_checkpoint(name, network)
        except InputError:
            words = f"synthetic weights, seed {seed}: there is no checkpoint {name}"
            wanted = layers or known
            return layer_cases(synthetic_layers(design, network, wanted, images, seed)), words
    operands, _ = operands_of(network, checkpoint, images)
    run = {
        each: arranged(design, layer)[0]
        for each, layer in operands.items()
        if not layers or each in layers
    }
    return layer_cases(run), label(name, checkpoint)
