"""One folder a technology: its connections, its SQL, and the parts built on them."""
