"""Verilog and the JSON beside it."""
