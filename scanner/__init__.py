"""Everything that touches the world: inventory, transports, probes, the run, the lab and the command line."""

__version__ = "0.1.0"
