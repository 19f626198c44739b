"""`python -m bench`: the command where its script is not on the path; named as text, as no room stands above it."""

from runpy import run_module

run_module("bench.cli", run_name="__main__")
