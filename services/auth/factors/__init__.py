"""Second factors: what follows a first proof, and how an account gets and loses them."""
