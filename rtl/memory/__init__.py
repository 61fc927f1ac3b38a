"""Memories in front of the arrays."""
