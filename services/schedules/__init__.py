"""Scheduled Tasks: when each account is imported, and how that went."""
