"""Interception: watch-list, evidence fusion, incidents, and the approach an officer approved."""
