"""Tables of scores, of the paper and of studies, both printed and written to files."""
