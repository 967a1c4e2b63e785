"""Radiation detectors: each module speaks one device's protocol behind one interface."""
