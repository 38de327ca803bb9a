"""CLIP: how well slices fit captions, and the slice labels that follow from it."""
