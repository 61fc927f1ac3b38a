"""Files, worker processes and optional packages."""
