"""Array families, one file each: cycle model (clock by clock) and its fast exact form."""
