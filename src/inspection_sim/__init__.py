"""The built-in simulator and the device emulators."""
