"""Predictions → tidy tables of numbers that mean one thing."""
