"""Email accounts: their rows, drafts and questions, and the same as text."""
