"""Importing: what a mailbox shows is judged, stored and accounted for, message by message.

Pure: `headers`, `authentication`, `fingerprint`, `bounce`, `split`, `parse`, `judge`. The others
work on the store (`ledger`), and on the store and a mailbox (`run`).
"""
