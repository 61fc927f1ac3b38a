"""Dense arrays: weights as they are, pruned rows and columns left out."""
