"""HTTP handlers of the jobs service, one resource a file."""
