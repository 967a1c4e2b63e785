"""What goes to other systems and comes from them: declarations, releases, alerts, ships' positions."""
