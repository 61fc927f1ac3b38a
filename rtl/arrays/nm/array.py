"""N:M family: a systolic array whose PEs hold n of every m weights along K.

Only what a PE holds and sees is the family's own: :mod:`hwsim.rtl.arrays.nm.cell`.
"""

from hwsim.rtl.arrays.systolic.array import Array

__all__ = ["Array"]
