"""Data: label tables and images, checked, cached, batched."""
