"""Machinery that triggers and workers share; it knows no technology."""
