"""Another address for an account, confirmed on the old one and on the new one."""
