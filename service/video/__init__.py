"""Whole videos: read, segment, annotate, encode, tables and report, as a durable job made of segments."""
