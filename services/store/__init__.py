"""The store: where the truth is. SQLite by default, PostgreSQL where several hosts work."""
