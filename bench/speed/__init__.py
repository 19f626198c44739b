"""Ours beside a reference implementation, in one run."""
