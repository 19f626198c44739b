"""`python -m bench.cli`, as torchrun starts it."""

from bench.cli.main import main

main()
