"""Density-bound-block family: non-zeros of blocks of activations on a systolic array."""
