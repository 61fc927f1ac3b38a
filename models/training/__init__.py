"""Training loop, schedules and losses."""
