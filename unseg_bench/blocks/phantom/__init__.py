"""Phantom FLAIR volumes made from the MNI152 templates: anatomy, contrast, tumours, scanner."""
