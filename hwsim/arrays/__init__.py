"""Array families, one room each: compiler, cycle model, and fast exact form."""
