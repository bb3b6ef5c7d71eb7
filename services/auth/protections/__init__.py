"""What stands between an account and whoever is not its owner, besides the proofs themselves."""
