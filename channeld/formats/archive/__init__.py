"""Package files as archives: what is in them, read without trusting them."""
