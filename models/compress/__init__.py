"""ADMM compression: stages, recipes, runs side by side, their log."""
