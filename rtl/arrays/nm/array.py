"""N:M family: a systolic array whose PEs hold n of every m weights along K.

Mesh, controls and accumulator are dense's; what its PEs hold and see is in
:class:`hwsim.rtl.arrays.systolic.cells.NMCell`.
"""

from hwsim.rtl.arrays.dense.array import Array

__all__ = ["Array"]
