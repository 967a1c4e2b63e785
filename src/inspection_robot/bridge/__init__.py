"""The robot's way to the center: a durable outbox, its sender, and the center's commands."""
