"""The nouns of tourmail: tables and values. No I/O."""
