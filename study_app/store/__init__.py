"""The study database: the only package that reads or writes it."""
