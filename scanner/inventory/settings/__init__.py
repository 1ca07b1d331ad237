"""The keys of an inventory, each declared once: type, default, help, where it may stand."""
