"""The work of an array: layers, their matrices, random operands."""
