"""Nets: how one is built, started from pretrained weights, fed, and run."""
