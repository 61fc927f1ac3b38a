"""Plots of a page that answer: a mark says what it is, and a click shows its table."""
