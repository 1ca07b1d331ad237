"""The runbook of a Secret Server upgrade."""
