"""Painters of the synthetic dataset, which give the same bits on every machine."""
