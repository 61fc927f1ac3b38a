"""What fits the array of each family to the words of the machine: one component per family."""
