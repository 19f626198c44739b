"""Ours beside the plain way, in one run."""
