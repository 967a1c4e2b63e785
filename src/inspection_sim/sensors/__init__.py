"""What the simulated robot senses: pure functions and small state holders, no ROS."""
