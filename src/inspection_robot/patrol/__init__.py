"""Patrols: routes as data, driven through Nav2, with dwelling, looking around, charging and resuming."""
