"""Learning: the generator of events, and what makes it fast. Runs without IPython."""
