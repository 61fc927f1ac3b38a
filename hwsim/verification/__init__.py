"""Cases for a design, run on simulator and RTL and compared with ``==``."""
