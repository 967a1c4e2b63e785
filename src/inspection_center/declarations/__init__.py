"""Declarations: from what was declared to release with a receipt, or to what became of it instead."""
