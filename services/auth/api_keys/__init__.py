"""Keys by which programs identify themselves."""
