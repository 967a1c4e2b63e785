"""Who may do what: robots, services and officers."""
