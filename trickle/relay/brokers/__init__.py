"""How each broker is reached, for its sink and its source alike: options of a connection, and what its errors mean."""
