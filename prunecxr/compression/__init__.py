"""Compression: criteria score weights, scopes say who competes with whom, masks zero the lowest."""
