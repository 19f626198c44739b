"""From votes to numbers: scores, quality, rankings, tables of answers, agreement with metrics."""
