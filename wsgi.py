"""What a WSGI server loads."""

from api.cli import app as app
from api.core import refusals

refusals.write_at_end()
