"""Runs recorded to MCAP, readable by Foxglove and rosbag2, and played back into the nodes."""
