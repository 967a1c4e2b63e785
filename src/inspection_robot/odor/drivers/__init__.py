"""Gas sensor boards behind one interface."""
