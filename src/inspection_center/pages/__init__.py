"""The console's server-rendered pages."""
