"""Orders that officers carry out themselves, step by step, on a handheld that may be offline."""
