"""Weight formats, one file each: encode, decode, size in bits by kind."""
