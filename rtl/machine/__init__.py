"""The machine around an array: it runs networks from memory, one descriptor per tile."""
