"""What generated masks say together: how often something is seen, how much, and how steadily."""
