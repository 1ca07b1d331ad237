"""What an inventory expects of its nodes beyond what comes with preflight: `expect`, and the folder `checks.d`."""
