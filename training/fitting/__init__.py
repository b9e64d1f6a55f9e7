"""One training run: data in memory, the loop, what is watched, checkpoints, history, and what it leaves."""
