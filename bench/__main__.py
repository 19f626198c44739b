"""`python -m bench`: the command where its script is not on the path. Named as text: no room stands above the command."""

from runpy import run_module

run_module("bench.cli", run_name="__main__")
