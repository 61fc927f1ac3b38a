"""Bitmask arrays (SparTen): masks of weights and activations are joined in each PE."""
