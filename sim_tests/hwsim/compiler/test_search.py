"""Cuts that are chosen by the exact form: against the estimate, and against all combinations."""

import pytest
from harness.component import seeded
from harness.machine import block, small_machine

from hwsim.accelerator.simulate import simulate
from hwsim.arrays.csc import array as csc
from hwsim.compiler.compile import Compiler, compile_network
from hwsim.compiler.search import by_layer, cycles_of, every_choice
from hwsim.config import MemoryConfig
from hwsim.verification.networks import random_checkpoint

MEMORY = {"act_banks": 4, "act_depth": 64, "weight_depth": 256, "scale_depth": 4}


@pytest.mark.parametrize(("latency", "width"), [(1, 4), (100, 2)])
def test_each_layer_takes_the_option_with_the_fewest_cycles(latency, width):
    memory = MemoryConfig(name="test", source="test", latency=latency, bytes_per_cycle=width)
    arch = small_machine(memory=MEMORY)
    compiler = Compiler(arch, block("projection", (9, 13)), None, 1, {})
    plan = compiler.plan
    chosen = by_layer(plan, compiler.tiles_of, arch, memory)
    assert any(len(options) > 1 for options in plan.options.values())
    for name, options in plan.options.items():
        costs = [cycles_of(arch, compiler.tiles_of(name, each), memory) for each in options]
        assert costs[options.index(chosen[name])] == min(costs)


def test_a_search_of_each_layer_is_close_to_the_best_of_all_combinations():
    memory = MemoryConfig(name="test", source="test", latency=20, bytes_per_cycle=2)
    arch, net = small_machine(memory=MEMORY), block("groups", (9, 13))
    net = net.model_copy(update={"layers": net.layers[:2]})

    def cycles(layers):
        compiler = Compiler(arch, net, None, 1, {})
        compiler.plan.layers = dict(layers)
        return simulate(compiler.compiled().program, memory).cycles

    plan = Compiler(arch, net, None, 1, {}).plan
    every = [cycles(choice) for choice in every_choice(plan)]
    assert len(every) > 8
    found = simulate(compile_network(arch, net, None, memory=memory).program, memory).cycles
    assert min(every) <= found <= 1.02 * min(every)
    assert found <= cycles(plan.layers)


def test_weights_are_packed_once_for_all_ways_to_cut_a_layer(monkeypatch):
    """Loops over K differ with the rows of a part; what is sent does not."""
    packed, pack = [], csc.weight_words

    def weight_words(arch, weight, name):
        packed.append((name, weight.shape, weight.tobytes()))
        return pack(arch, weight, name)

    monkeypatch.setattr(csc, "weight_words", weight_words)
    arch, net = (
        small_machine("csc", memory=MEMORY | {"weight_depth": 1024}),
        block("joins", (9, 13)),
    )
    memory = MemoryConfig(name="test", source="test", latency=20, bytes_per_cycle=2)
    checkpoint = random_checkpoint(seeded(1), net)
    plan = Compiler(arch, net, checkpoint, 1, {}).plan
    assert max(len(options) for options in plan.options.values()) > 1
    compile_network(arch, net, checkpoint, 1, {}, memory=memory)
    assert packed
    assert len(packed) == len(set(packed))
