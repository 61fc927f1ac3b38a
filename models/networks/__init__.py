"""Networks that can be trained, and the same without their pruned filters."""
