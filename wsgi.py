"""What a WSGI server loads."""

from api.cli import app as app
