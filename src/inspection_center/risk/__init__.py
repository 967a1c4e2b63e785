"""Risk: models as versioned data, scores with their contributions, warnings, learning, what-if."""
