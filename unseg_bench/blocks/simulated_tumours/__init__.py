"""Tumours drawn into normal heads: shape, texture and blending."""
