"""What the subcommands do: whole runs, single steps, folders, comparisons."""
