"""The central inspection backend."""
