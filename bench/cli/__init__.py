"""The `bench` command: one function a verb, no logic."""
