"""How often intervals hold the truth, and how often tests find what is not there, by simulation.

`python -m tests.coverage` prints the tables of `docs/explanation/coverage.md`; the tests look at some of the same
worlds, fewer times. A world has a truth that is known; every function takes the number of times it is drawn and a seed.
"""
