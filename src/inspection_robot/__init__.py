"""The inspection-assist robot: what runs on the robot."""
