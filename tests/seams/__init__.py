"""Raises planted at the seams of preflight's own code, found by reflection, with secrets in all that they hold."""
