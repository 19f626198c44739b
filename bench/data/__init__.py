"""Clips: where they lie, which split they belong to, and how they are read."""
