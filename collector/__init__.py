"""Receives, stores and serves: everything that runs in the collector's own processes, and its commands."""
