"""What a queue's members are told: mail in error, and events of the system."""
