"""The runbook of an upgrade: ordered steps with a cluster's own names. Nothing in it is carried out."""
