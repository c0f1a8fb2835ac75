"""What is stored, what is made of it and how it is asked: SQL files, their runners, and every way to show answers."""
