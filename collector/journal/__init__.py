"""What receivers have acknowledged, on disk: written by receivers, read and removed by the loader."""
