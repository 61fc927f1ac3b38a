"""Networks and weights from elsewhere: ONNX files, state dicts, and their quantization.

An importer gives a :class:`hwsim.models.importers.float_model.FloatModel`: a network of ours with
real weights, batch normalization folded. :mod:`hwsim.models.importers.calibrate` makes it a
checkpoint.
"""
