"""The study's database: the only place that reads and writes it."""
