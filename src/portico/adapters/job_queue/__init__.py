"""The queue port over the stores."""
