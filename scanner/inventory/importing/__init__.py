"""Inventories out of what sites have already: Ansible's, and the client configuration of OpenSSH."""
