"""Reader studies: forms for radiologists and their answers."""
