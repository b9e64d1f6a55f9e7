"""Who gets the device next: admission, tickets, batches."""
