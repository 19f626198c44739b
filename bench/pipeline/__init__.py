"""What the verbs do: whole runs, single steps, folders, comparisons."""
