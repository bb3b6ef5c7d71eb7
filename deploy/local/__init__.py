"""What `./freehold` does once the virtual environment exists: runs one stack on this machine."""
