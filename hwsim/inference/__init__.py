"""Integer inference, the reference that every array is held to, and images for it."""
