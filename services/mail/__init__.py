"""Mail that came in, as faces list, search and show it."""
