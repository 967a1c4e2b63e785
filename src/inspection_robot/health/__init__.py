"""Supervision of the robot's nodes: brought up in order, restarted when dead or stuck, reported."""
