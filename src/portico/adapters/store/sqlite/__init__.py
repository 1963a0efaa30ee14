"""One SQLite file: one writer, several processes."""
