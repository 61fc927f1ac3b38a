"""Networks that ship compile for dense and nm machines, by the shapes of their weights alone."""

import pytest
from harness.component import seeded
from harness.machine import BLOCKS, block, small_machine

from hwsim.accelerator.simulate import simulate
from hwsim.accelerator.tables import Tables
from hwsim.accelerator.tile import ArrayJob
from hwsim.compiler.compile import compile_network
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.config.catalog import CONFIGS
from hwsim.verification.networks import random_checkpoint

NETWORKS = sorted(path.stem for path in (CONFIGS / "network").glob("*.yaml"))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("machine", ["machine_dense_8x8_ws", "machine_dense_32x32_ws"])
def test_every_network_compiles(machine, network):
    arch, net = ArchConfig.read(machine), NetworkConfig.read(network)
    compiled = compile_network(arch, net, None)
    run = simulate(compiled.program, MemoryConfig.read("lpddr4_3200_x32"))
    assert run.cycles > sum(shape.macs for shape in net.shapes()) / arch.array.multipliers
    with pytest.raises(ValueError, match="without weights has no image"):
        compiled.program.image()


@pytest.mark.parametrize(
    ("machine", "network"),
    [
        ("machine_dense_8x8_os", "resnet18"),
        ("machine_dense_8x8_os", "alexnet_owt"),
        ("machine_nm_2x4_4x8_ws", "alexnet_owt"),
        ("machine_nm_2x4_4x8_os", "alexnet_owt"),
    ],
)
def test_k_is_cut_where_a_fold_of_filters_does_not_fit(machine, network):
    compiled = compile_network(ArchConfig.read(machine), NetworkConfig.read(network), None)
    jobs = [tile.job for tile in compiled.program.tiles if isinstance(tile.job, ArrayJob)]
    assert any(job.keep for job in jobs)
    assert [job.carry for job in jobs[1:]] == [job.keep for job in jobs[:-1]]


@pytest.mark.parametrize("kind", BLOCKS)
def test_shapes_tell_what_weights_tell(kind):
    memory = {"act_banks": 3, "act_depth": 128, "weight_depth": 64, "scale_depth": 4}
    array = small_machine().array.model_copy(update={"carries": True})
    arch = small_machine(array=array.model_dump(exclude_none=True), memory=memory)
    net = block(kind, (9, 13))
    checkpoint = random_checkpoint(seeded(1), net)
    for weights in checkpoint.layers.values():
        weights.weight[weights.weight == 0] = 1  # or filters would be removed
    known = compile_network(arch, net, checkpoint, 2).program
    shapes = compile_network(arch, net, None, 2).program

    one, other = Tables.of(known), Tables.of(shapes)
    assert (one.execute == other.execute).all()
    assert (one.barrier == other.barrier).all()
    assert (one.loads[:, 1:] == other.loads[:, 1:]).all()
    assert (one.stores[:, 1:] == other.stores[:, 1:]).all()


def test_one_plan_serves_many_memories():
    """A longer latency never makes a run shorter; its tables are made once."""
    net = NetworkConfig.read("resnet50")
    program = compile_network(ArchConfig.read("machine_dense_32x32_ws"), net, None).program
    cycles = [
        simulate(
            program,
            MemoryConfig(name="test", source="test", latency=latency, bytes_per_cycle=width),
        ).cycles
        for latency in range(10, 60)
        for width in (16, 32)
    ]
    assert cycles[::2] == sorted(cycles[::2])
