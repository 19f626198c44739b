"""From votes to numbers: tallies, quality, rankings, exports, agreement with metrics."""
