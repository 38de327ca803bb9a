"""CLISC."""
