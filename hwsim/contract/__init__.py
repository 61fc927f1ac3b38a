"""What RTL, simulator, testbench and reports must agree on."""
