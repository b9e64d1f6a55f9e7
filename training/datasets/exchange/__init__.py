"""A user's own annotations into the canonical data set, and from it to the tools where masks are corrected."""
