"""Pattern arrays: a PE holds four taps of a 3x3 kernel and sees its window."""
