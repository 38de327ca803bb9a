"""Weights of the method `synthetic`, with their settings, training log and model card; no code."""
