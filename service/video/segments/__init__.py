"""One segment: read > prepare > infer > annotate > encode, in overlapping stages."""
