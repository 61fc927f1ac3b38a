"""What the RTL of the two index-decoding families shares."""
