"""Bitmask array (SparTen) in RTL."""
