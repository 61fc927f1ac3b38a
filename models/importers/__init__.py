"""Import of networks and weights: ONNX files, state dicts, and their quantization.

An importer returns a :class:`hwsim.models.importers.float_model.FloatModel`: a network
configuration with real weights, batch normalization folded in.
:mod:`hwsim.models.importers.calibrate` quantizes it into a checkpoint.
"""
