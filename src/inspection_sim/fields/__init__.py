"""Physical fields of the world: radiation and smell. Pure, no ROS."""
