"""What an array is given to do: layers, their matrices, random operands."""
