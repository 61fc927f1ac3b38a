"""N:M arrays: a PE holds n of every m weights and sees m activations."""
