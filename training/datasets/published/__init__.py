"""Readers of published layouts; each file cites the layout that it reads."""
