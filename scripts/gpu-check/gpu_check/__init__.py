"""Builds, checks and measures torch-t5 on a machine with an NVIDIA GPU. Downloads nothing."""
