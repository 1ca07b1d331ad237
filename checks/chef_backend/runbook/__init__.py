"""The runbook of a Chef Backend upgrade."""
