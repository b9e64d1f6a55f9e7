"""What masks say over time: motion, flicker, distances between distributions, frames that are not of the body."""
