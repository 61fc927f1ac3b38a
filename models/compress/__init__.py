"""Compression: ADMM, the stages of a recipe, parallel runs of recipes, and their log."""
