"""Lesion images, masks and what is known of them."""
