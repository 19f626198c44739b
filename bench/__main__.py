"""Run the command line as `python -m bench`, without its script on the path.

`bench.cli` belongs to the same layer, so it is named as text instead of imported.
"""

from runpy import run_module

run_module("bench.cli", run_name="__main__")
