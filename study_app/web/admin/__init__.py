"""The admin page, one file per view."""
