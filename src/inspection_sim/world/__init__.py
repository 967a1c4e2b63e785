"""The world: SDF file → typed models → MuJoCo scene, occupancy map and solids."""
