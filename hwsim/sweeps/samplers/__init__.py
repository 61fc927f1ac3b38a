"""Samplers: which points of a space are looked at, and in which order."""
