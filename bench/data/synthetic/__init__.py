"""Painters of the embedded synthetic scenes, the same bits on every machine."""
