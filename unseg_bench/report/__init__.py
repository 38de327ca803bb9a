"""A comparison in, a table out."""
