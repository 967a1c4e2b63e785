"""Smell: gas sensor boards, their signal chain, recognition that admits what it does not know, and localisation."""
