"""Rules of the robots as data: versions, signed, sent to every robot."""
