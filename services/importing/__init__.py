"""Importing: what a mailbox shows is judged, stored and accounted for, message by message.

Pure: `headers`, `authentication`, `fingerprint`, `bounce`, `split`, `parse`, `reading` and `judge`.
The others work on the store (`ledger`), on the store and a mailbox (`run`), or have messages read
by a second process (`apart`, `reader`).
"""
