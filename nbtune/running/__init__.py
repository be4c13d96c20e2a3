"""A run: its spec, its folder, the composition of one, and the catalogue of all."""
