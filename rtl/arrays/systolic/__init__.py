"""Systolic core in RTL: PEs, meshes, controls, accumulator."""
