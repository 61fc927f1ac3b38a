"""What the two index-decoding families share: the sequence of tiles, and the drain."""
