"""The demo: a sandbox with real mail servers on loopback and an office's worth of sample data."""
