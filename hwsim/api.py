"""Python API of hwsim."""
