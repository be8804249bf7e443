"""Secrets: the key file, what is encrypted under it, and another key."""
