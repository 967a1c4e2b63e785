"""Who may move the robot, and how fast: one safe velocity out of several wishes. See docs/safety.md."""
