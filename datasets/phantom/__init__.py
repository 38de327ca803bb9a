"""Phantom FLAIR volumes: the embedded default data set."""
