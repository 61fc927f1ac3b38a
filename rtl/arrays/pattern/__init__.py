"""Pattern array in RTL: the systolic core behind a window unit."""
