"""CSC array (EIE) in RTL."""
