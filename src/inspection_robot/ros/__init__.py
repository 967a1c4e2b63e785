"""Shared ROS wiring: lifecycle base, parameters, QoS, faults, diagnostics, frames, pictures."""
