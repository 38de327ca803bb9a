"""Scores of many runs in, one comparison out: size groups, means, paired tests. No image and no torch."""
