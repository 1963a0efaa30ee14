"""One module per job queue; each is imported only in the processes that drive it."""
