"""Dense array in RTL: the systolic core, optionally behind a scratchpad or a decompressor."""
