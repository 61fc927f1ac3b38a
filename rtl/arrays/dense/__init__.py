"""Dense array in RTL: the systolic core, optionally behind a gathering scratchpad."""
