"""Designs small enough for Icarus Verilog, of every family but the pattern arrays."""

from hwsim.config import ArchConfig

DENSE = {"family": "dense", "rows": 3, "cols": 2}
NM = DENSE | {"family": "nm", "n": 2, "m": 4}
CSC = {
    "family": "csc",
    "pes": 4,
    "index_bits": 1,
    "fifo_depth": 2,
    "window": 3,
    "load_pes": 2,
    "col_depth": 64,
    "entry_depth": 256,
    "acc_depth": 4,
}
BITMASK = {
    "family": "bitmask",
    "pes": 4,
    "chunk": 16,
    "window": 4,
    "buffer_depth": 2,
    "load_pes": 2,
    "mask_depth": 16,
    "entry_depth": 256,
    "acc_depth": 4,
}
#: Designs small enough for Icarus; the partial sums are narrow, so that they wrap.
SMALL = {
    name: ArchConfig.model_validate({"name": name, "numbers": {"psum_width": 17}, "array": array})
    for name, array in {
        "tiny_ws": DENSE | {"dataflow": "ws", "acc_depth": 8},
        "tiny_os": DENSE | {"dataflow": "os"},
        "tiny_nm_ws": NM | {"dataflow": "ws", "acc_depth": 8},
        "tiny_nm_os": NM | {"dataflow": "os"},
        "tiny_dbb": DENSE | {"family": "dbb", "n": 2, "m": 4},
        "tiny_csc": CSC,
        "tiny_csc_lanes": CSC | {"lanes": 3, "index_bits": 4},
        "tiny_bitmask": BITMASK,
        "tiny_bitmask_clusters": BITMASK | {"clusters": 2, "acc_banks": 4, "balance": "greedy"},
    }.items()
}
