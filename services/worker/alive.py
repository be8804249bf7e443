"""How long a worker that has shown no sign of life still counts as alive."""

from datetime import timedelta

ALIVE_WITHIN = timedelta(minutes=5)
"""Since its last heartbeat; cron may start one every minute."""
