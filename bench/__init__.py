"""Train, score and compare time-lapse video generators: one number, one meaning."""

__version__ = "0.1.0"
