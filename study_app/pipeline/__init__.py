"""What the commands do: create, extend, copy, simulate, export and reproduce a study."""
