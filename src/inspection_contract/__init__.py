"""What robot and center say to each other."""
