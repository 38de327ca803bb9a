"""Figures of a comparison for papers and pages; the only place that loads matplotlib."""
