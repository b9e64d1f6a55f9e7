"""Who does the jobs: durable workflows, take-over, retries, retention."""
