"""Reading frames: images, arrays, video files, one after another."""
