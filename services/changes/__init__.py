"""Who changed what: history, two changes at once, and what was typed when a line dropped."""
