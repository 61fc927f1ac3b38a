"""What a design or a network costs: stored bits, break-even, costs of layers."""
