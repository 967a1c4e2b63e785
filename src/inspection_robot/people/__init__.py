"""People and their luggage: tracks in `map` from thermal, colour and lidar."""
