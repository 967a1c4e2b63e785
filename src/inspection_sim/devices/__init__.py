"""Device emulators: each speaks the real device's bytes over a pseudo-terminal."""
