"""Who saw and did what, in a log that cannot be rewritten quietly."""
