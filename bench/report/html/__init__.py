"""Pages: the report, the leaderboard, the card of a repository."""
