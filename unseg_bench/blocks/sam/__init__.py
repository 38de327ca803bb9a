"""SAM: one picture, volumes slice by slice, and every mask of a picture."""
