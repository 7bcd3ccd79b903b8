"""The mechanism: finding, claiming and doing work once."""
