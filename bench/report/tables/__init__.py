"""Tables: of scores, of the paper, of studies; printed and written."""
