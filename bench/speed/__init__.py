"""Speed of our code compared with reference implementations, in one run."""
