"""Kills Postroom's processes at the worst moments, under load, and counts what was lost and what came twice."""
