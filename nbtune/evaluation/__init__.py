"""Scores that can be trusted: intervals, baselines, and the report that holds them."""
