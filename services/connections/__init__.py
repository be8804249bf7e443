"""Slots: how many connections a mailbox may have, over all processes."""
