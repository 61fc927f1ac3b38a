"""Blocks that several arrays use; they take their own numbers, not a design."""
