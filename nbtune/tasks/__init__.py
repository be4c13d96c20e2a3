"""The plugin door: what a task is, how it is scored, how it is found."""
