"""Pages: the HTML report, the leaderboard and the repository card."""
