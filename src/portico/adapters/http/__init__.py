"""What the triggers that are called over HTTP share."""
