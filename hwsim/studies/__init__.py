"""Studies: ``compare`` sets designs side by side, ``published`` checks a paper's table."""
