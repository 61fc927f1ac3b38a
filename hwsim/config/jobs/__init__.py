"""Files that a command runs: recipes, studies, sweeps, tables of published sizes."""
