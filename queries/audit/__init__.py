"""What can be handed to an auditor: facts of a window, what could not be seen, digests and a signature."""
