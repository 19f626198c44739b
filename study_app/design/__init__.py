"""What a study is before anybody votes: settings, schedule, clips, power."""
