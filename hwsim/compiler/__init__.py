"""From a network and its weights to a program: descriptors and an image of memory."""
