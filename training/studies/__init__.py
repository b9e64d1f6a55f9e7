"""Several runs that answer one question: which preset, how well on unseen groups, which settings."""
