"""Predictions and references in, `scores.csv` out: DSC, HD95 (mm) and what an empty mask earns."""
