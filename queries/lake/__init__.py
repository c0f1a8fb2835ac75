"""The lake: a DuckLake of what was sealed, its tables, and the views that join it with a collector's own file."""
