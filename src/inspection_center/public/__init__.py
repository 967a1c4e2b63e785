"""What the public may ask without signing in, and nothing else."""
