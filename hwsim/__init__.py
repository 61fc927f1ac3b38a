"""Cycle-level simulator of sparse, quantized DNN arrays. Imports neither Amaranth nor torch."""

__version__ = "0.1.0"
