"""Jobs as the server sees them, and the database that server and workers share."""
