"""Figures: strips of frames, curves, motion."""
