"""From predictions to tidy tables whose numbers have one defined meaning."""
