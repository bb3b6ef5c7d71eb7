"""The same request, sent again, has one effect and gets one answer."""
