"""Tables, the one writer, and how rows get in and out."""
