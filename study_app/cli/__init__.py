"""The commands of `bench study`: options and printing, no logic."""
