"""Other people's webhooks: who sends, what it means, and which job it becomes."""
