"""What commands print and write: reports, progress, prose, and streams that break."""
