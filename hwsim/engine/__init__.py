"""Run a whole network on a design, layer after layer."""
