"""Folders as sources of events: what lies in them, what of it is complete, what was seen before."""
