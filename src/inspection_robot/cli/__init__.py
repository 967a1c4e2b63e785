"""The command line `./robot`."""
