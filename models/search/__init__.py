"""Hardware-aware search for the densities of the layers."""
