"""The plan of a Secret Server upgrade."""
