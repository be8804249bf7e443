"""The verbs of tourmail: everything the product does. Synchronous, no textual, no printing."""
