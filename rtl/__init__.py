"""Amaranth components and the Verilog generator. Imports hwsim.config and hwsim.formats only."""
