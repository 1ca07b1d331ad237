"""What is said and found, kept small in memory until it is looked at."""
