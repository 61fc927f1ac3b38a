"""Engines: what evaluates points, here or elsewhere."""
