"""Roles of the house and what their holders may do."""
