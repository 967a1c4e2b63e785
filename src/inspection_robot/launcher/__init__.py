"""Starts the robot's processes as its launch files say, where the `launch` package of ROS is absent."""
