"""Run one layer in SCALE-Sim and print its cycles; runs in SCALE-Sim's own environment.

Reads ``{"rows", "cols", "layer": [name, ifmap height, ifmap width, R, S, C, M, stride]}`` from
stdin and prints ``{"seconds", "wall_seconds", "cycles", "stalls"}``. The times (processor and wall)
are those of building and running its simulator: starting Python and importing are not counted.
Start with ``python -P``: the folder holds a ``scalesim.py`` that is not the package.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from scalesim.scale_sim import scalesim

CONFIG = """\
[general]
run_name = run
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {cols}
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = ws
Bandwidth = 32
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
TOPOLOGY = "Layer,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Filters,Strides,\n"


def main() -> None:
    """Run the layer that stdin names."""
    task = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("run.cfg").write_text(CONFIG.format(**task))
        Path("topology.csv").write_text(TOPOLOGY + ",".join(map(str, task["layer"])) + ",\n")
        Path("layout.csv").write_text("Layer,\nlayer," + "1," * 20 + "\n")
        start, wall_start = time.process_time(), time.perf_counter()
        simulator = scalesim(
            save_disk_space=True,
            verbose=False,
            config="run.cfg",
            topology="topology.csv",
            layout="layout.csv",
            input_type_gemm=False,
        )
        simulator.run_scale(top_path="out")
        seconds, wall = time.process_time() - start, time.perf_counter() - wall_start
        (layer,) = simulator.runner.single_layer_sim_object_list
        _, cycles, stalls, *_ = layer.get_compute_report_items()
    result = {
        "seconds": seconds,
        "wall_seconds": wall,
        "cycles": int(cycles),
        "stalls": int(stalls),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
