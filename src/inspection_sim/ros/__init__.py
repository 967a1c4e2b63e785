"""ROS wiring of the simulator; the only folder of it that imports rclpy and message packages."""
