"""Sets that weights are projected onto: one for each kind of sparsity."""
