"""The public routes, a module for each service."""
