"""The storage process: loads the journal, analyses, seals, deletes, and answers questions."""
