"""Time of the machine around an array: engines over tiles."""
