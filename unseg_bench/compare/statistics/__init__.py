"""Everything beyond the paper's own test: scipy and statsmodels do the arithmetic, and load only when asked for."""
