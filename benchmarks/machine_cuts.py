"""How layers are cut on a machine: estimate, search of each layer, all combinations; CPU seconds.

``python benchmarks/machine_cuts.py`` prints what ``docs/machine.md`` says: the cycles of ResNet-50
on ``machine_dense_32x32_ws`` as it is cut by the estimate and by the search, with the CPU seconds
of both, of one memory on a given plan and of a hundred. With ``--every`` also LeNet-5 in act banks
of 256 words, where the best of all 4,096 combinations is known after some minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from hwsim.accelerator.simulate import simulate
from hwsim.compiler.compile import Compiler, compile_network
from hwsim.compiler.plan import Cutting
from hwsim.compiler.search import by_layer, every_choice
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig

T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    """Print what some work takes."""
    begin = time.process_time()
    found = work()
    print(f"{what}: {time.process_time() - begin:.3f} CPU seconds", flush=True)
    return found


def resnet50() -> None:
    """Cycles and seconds of a large network."""
    arch, network = ArchConfig.read("machine_dense_32x32_ws"), NetworkConfig.read("resnet50")
    memory = MemoryConfig.read("lpddr4_3200_x32")
    simulate(compile_network(arch, NetworkConfig.read("lenet5"), None).program, memory)
    plan = timed("plan by the estimate", lambda: compile_network(arch, network, None).program)
    found = timed(
        "plan by search", lambda: compile_network(arch, network, None, memory=memory).program
    )
    runs = [simulate(each, memory).cycles for each in (plan, found)]
    print(f"cycles by the estimate {runs[0]:,}, by search {runs[1]:,}")
    timed("one memory on a plan", lambda: simulate(plan, memory))
    memories = [memory.model_copy(update={"latency": latency}) for latency in range(20, 120)]
    timed("a hundred memories on a plan", lambda: [simulate(plan, each) for each in memories])


def lenet5() -> None:
    """Gap of a search of each layer to the best of all combinations."""
    base, network = ArchConfig.read("machine_dense_8x8_ws"), NetworkConfig.read("lenet5")
    assert base.memory is not None
    small = base.memory.model_copy(update={"act_depth": 256})
    arch = base.model_copy(update={"memory": small})
    memory = MemoryConfig.read("lpddr4_3200_x32")

    def cycles(layers: Mapping[str, Cutting] | None) -> int:
        compiler = Compiler(arch, network, None, 1, {})
        compiler.plan.layers = dict(layers or compiler.plan.layers)
        return simulate(compiler.compiled().program, memory).cycles

    compiler = Compiler(arch, network, None, 1, {})
    searched = by_layer(compiler.plan, compiler.tiles_of, arch, memory)
    best = min(cycles(choice) for choice in every_choice(compiler.plan))
    print(f"by the estimate {cycles(None):,}, by search {cycles(searched):,}, best {best:,}")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", action="store_true")
    resnet50()
    if options.parse_args().every:
        lenet5()
