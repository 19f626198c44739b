"""Statistics of votes and grades: scores, rater quality, rankings, tables of answers, agreement with metrics."""
