"""Cases, volumes, splits, cohorts, the one NIfTI reader and writer, and the only door to reference masks."""
