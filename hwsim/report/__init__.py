"""Pages, tables and the style of pictures that all reports share."""
