"""Sending: rules and composition are pure; the outbox commits, the deliverer talks to servers."""
