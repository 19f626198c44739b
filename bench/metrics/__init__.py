"""Metrics, one per file; each file states the definition that is printed with every table."""
