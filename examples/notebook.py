# %% [markdown]
# # Dense or index-decoding? LeNet-5 in a few cells
#
# Open as a notebook (VS Code, Jupytext), or run: python examples/notebook.py

# %%
import numpy as np

import hwsim

# %% [markdown]
# The same network twice: all weights on a systolic array, and one weight in twelve on an
# index-decoding array with the same number of multipliers, on the same sixteen test images.

# %%
dense = hwsim.simulate("dense_8x8_ws", "lenet5", "lenet5_dense", images=16)
pruned = hwsim.simulate("csc_16x4", "lenet5", "lenet5_nonstructured_12x", images=16)
assert dense.arch.array.multipliers == pruned.arch.array.multipliers
print(f"{dense.cycles:,} cycles dense, {pruned.cycles:,} pruned and decoded")

# %% [markdown]
# A result at the end of a cell is a table; its rows go into a data frame as they are.

# %%
pruned  # noqa: B018

# %%
for before, after in zip(dense.to_rows(), pruned.to_rows(), strict=True):
    print(f"{before['layer']}: {before['cycles'] / after['cycles']:.2f}x fewer cycles")

# %% [markdown]
# Designs are frozen configurations: change one number and count again.

# %%
base = hwsim.read_arch("csc_16x4")
network = hwsim.read_network("lenet5")
weights = hwsim.read_checkpoint("lenet5_nonstructured_12x", network)
images = np.random.default_rng(0).integers(0, 256, (4, 1, 28, 28), dtype=np.uint8)
for depth in (1, 2, 4, 8):
    array = base.array.model_copy(update={"fifo_depth": depth})
    arch = base.model_copy(update={"array": array})
    result = hwsim.simulate(arch, network, weights, images=4, inputs=images)
    print(f"queues of {depth}: {result.cycles:,} cycles, utilization {result.utilization:.3f}")

# %% [markdown]
# What do the weights cost to store, and in which format?

# %%
sizes = hwsim.storage(weights, ["dense_8x8_ws", "csc_16x4"])
for size in sizes.fitting[:3]:
    print(f"{size.name}: {size.total.total / 8000:.2f} KB of {sizes.plain.total / 8000:.2f} KB")
