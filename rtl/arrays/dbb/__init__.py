"""Density-bound-block array in RTL: an encoder of activations before the systolic core."""
