"""Thermal pictures from files and cameras, all as :class:`~inspection_robot.thermal.frames.ThermalFrame`."""
