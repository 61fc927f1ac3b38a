"""Cells of designs, counted by Yosys."""
