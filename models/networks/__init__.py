"""Networks that can be trained, and their copies without pruned filters."""
