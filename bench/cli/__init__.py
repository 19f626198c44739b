"""The `bench` command: one function per subcommand, no logic."""
