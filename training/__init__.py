"""What makes models: data sets in, model packages out. The service never imports this package."""
