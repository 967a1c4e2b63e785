"""Documents: codes, machine readable zones and container numbers, read from pictures."""
