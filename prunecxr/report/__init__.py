"""Tables -> figures -> one self-contained page. Fetches nothing."""
