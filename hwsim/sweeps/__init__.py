"""Sweeps: expand a grid, run it on local processes, keep what is known, find the Pareto front."""
