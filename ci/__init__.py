"""Scripts of the workflows that hold a token: Python's own library alone, so that nothing is
installed where something could be written."""
