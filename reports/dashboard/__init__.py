"""The fleet as a folder of pages: an index of all clusters night by night, and a page for each of them."""
