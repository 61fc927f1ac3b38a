"""Compressed networks on disk: the file format, finding one by name, synthetic weights."""
