"""Painters of the synthetic dataset, the same bits on every machine."""
