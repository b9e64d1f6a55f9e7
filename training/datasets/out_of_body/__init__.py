"""What a camera shows before it is in the body, and after: no instrument is to be found in any of it."""
