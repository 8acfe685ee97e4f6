"""Measurements of what Postroom promises, each against real processes on this machine."""
