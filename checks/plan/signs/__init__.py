"""What facts show of the steps of a plan, so that it can be followed with the tool in hand."""
