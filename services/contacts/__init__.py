"""Agents, suppliers and their people: rows, lines to choose from, and loading in bulk."""
