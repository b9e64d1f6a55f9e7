"""A model's own masks as training data: doubt measured, doubtful frames left out, the rest ranked for people."""
