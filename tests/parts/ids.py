"""An id that nothing has.

A test that is named by its parameters has the same name in every process that runs a part of them.
"""

from uuid import UUID

UNKNOWN_ID = UUID("7c1f5d0e-3f62-4b7a-9d5c-0f2a4e6b8d10")
