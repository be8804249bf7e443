"""The schema's history, one for every kind of store, applied by alembic."""

HEAD = "0006"
"""The newest revision, named here so that a start need not import alembic to compare."""
