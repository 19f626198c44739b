"""Readers of frames, one at a time, from images, arrays and video files."""
