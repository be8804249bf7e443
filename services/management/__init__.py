"""What people do with mail that came in: forward, retry, assign, dismiss, reopen."""
