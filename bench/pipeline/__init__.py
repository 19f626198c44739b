"""Implementation of the subcommands: whole runs, single steps, folders, comparisons."""
