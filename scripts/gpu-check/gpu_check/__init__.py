"""The one command for a machine with an NVIDIA GPU. Python's own modules alone; nothing is fetched."""
