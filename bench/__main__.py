"""`python -m bench`: the command without its script on the path; `bench.cli`, on the same layer, is named as text."""

from runpy import run_module

run_module("bench.cli", run_name="__main__")
