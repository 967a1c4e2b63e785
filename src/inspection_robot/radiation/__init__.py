"""Radiation: alarm on counts, nuclide identification, source localisation."""
