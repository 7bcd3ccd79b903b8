"""Lesions marked by networks: masks, boxes, heat maps and their scores."""
