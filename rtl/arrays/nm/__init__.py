"""N:M array in RTL: the systolic core with selecting PEs."""
