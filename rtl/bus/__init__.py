"""The port to the memory outside: AXI4, and the engines that load and store blocks through it."""
