"""What lies below the floor plan's marks: the map and the layers that robots drew on it."""
