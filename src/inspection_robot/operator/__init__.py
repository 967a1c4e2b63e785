"""What an operator sees and handles in RViz beyond what the capabilities' own nodes show."""
