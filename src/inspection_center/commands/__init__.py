"""Commands to robots: signed, stored, sent down, acknowledged."""
