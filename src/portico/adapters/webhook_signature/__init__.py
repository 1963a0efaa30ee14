"""Who signed a request: one file for each family of schemes, and the providers' schemes as data."""
