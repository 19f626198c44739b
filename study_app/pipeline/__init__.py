"""Implementation of the commands: create, extend, copy, simulate, export and reproduce a study."""
