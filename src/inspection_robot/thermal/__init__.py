"""Thermal imaging: fever screening, and warnings of hot and cold spots on patrol."""
