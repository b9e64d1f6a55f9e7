"""Where uploads, work and results lie: a folder, or an object store."""
