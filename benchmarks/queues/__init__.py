"""How fast the queues are, beside those of others, on the same stores and in the same run."""
