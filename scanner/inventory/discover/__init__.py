"""An inventory that writes itself: what one machine of a cluster can tell of the others."""
