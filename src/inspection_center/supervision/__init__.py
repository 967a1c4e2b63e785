"""Supervision of enforcement: risk points over the events of the inspection day, the cases they open, statistics."""
