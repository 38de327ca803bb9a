"""Cases, volumes, splits, cohorts, the one NIfTI reader and writer, and the only access to reference masks."""
