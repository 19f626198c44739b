"""Metrics, one a file; their definitions are stated in their files and printed with every table."""
