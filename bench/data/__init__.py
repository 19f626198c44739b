"""Clips: their locations on disk, their splits, and how they are read."""
