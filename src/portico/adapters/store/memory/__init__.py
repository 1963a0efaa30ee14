"""Everything in this process; gone with it."""
