"""The demo: a shop of real services with six faults, and what a collector makes of it. No rule is here."""
