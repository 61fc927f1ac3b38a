"""Test equipment: bench, testbench and runner that put a generated array beside its simulator.

Nothing here is part of a generated design. As test equipment the package may import, beside what
``rtl`` may, ``hwsim.arrays.base`` (jobs and counts), ``hwsim.system.files`` and ``hwsim.errors``.
"""
