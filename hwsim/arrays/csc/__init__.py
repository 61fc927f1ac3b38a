"""CSC arrays (EIE): each PE decodes the relative indices of its own columns."""
