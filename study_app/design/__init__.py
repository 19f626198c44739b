"""Design of a study before voting starts: settings, schedule, clips, power."""
