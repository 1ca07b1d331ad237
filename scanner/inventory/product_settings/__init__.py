"""The keys of the built-in products, each at the product's own address."""
