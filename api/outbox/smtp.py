"""Sending one mail by SMTP (RFC 5321), over TLS unless the settings say that it goes nowhere else.

What comes of it is told in a word; neither address nor text is ever logged.
"""

import re
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final
from uuid import UUID

from api import clock
from api.config import settings

TIMEOUT_S: Final = 15
"""Seconds that a mail server has for each answer."""
ADDRESS: Final = re.compile(r"[^\s,;:<>()\"\\]{1,64}@[^\s,;:<>()\"\\]{1,255}")
"""One address, and nothing that could be read as two or as a header."""
PERMANENT: Final = 500
"""Codes from here on mean never, those below mean later (RFC 5321 4.2.1)."""


@dataclass(frozen=True)
class Outcome:
    """Why a mail was not taken, in a word, and whether it never will be; None: it was taken."""

    failure: str | None = None
    is_final: bool = False


def post(letter_id: UUID, address: str, subject: str, text: str) -> Outcome:
    """Hand one mail to the server of the settings."""
    try:
        message = _message(letter_id, address, subject, text)
    except (ValueError, IndexError):
        return Outcome("address", is_final=True)
    try:
        with _connected() as server:
            server.send_message(message, to_addrs=[address])
    except smtplib.SMTPRecipientsRefused as refusal:
        code = max((code for code, _ in refusal.recipients.values()), default=0)
        return Outcome("refused", is_final=code >= PERMANENT)
    except smtplib.SMTPAuthenticationError:
        return Outcome("sign_in")
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refusal:
        return Outcome("refused", is_final=refusal.smtp_code >= PERMANENT)
    except (smtplib.SMTPNotSupportedError, UnicodeError):
        return Outcome("not_supported", is_final=True)
    except ssl.SSLError:
        return Outcome("tls")
    except (smtplib.SMTPException, OSError):
        return Outcome("no_answer")
    return Outcome()


def _message(letter_id: UUID, address: str, subject: str, text: str) -> EmailMessage:
    sender = settings().mail_from
    if not ADDRESS.fullmatch(address):
        raise ValueError("not one address")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, address, subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{letter_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _connected() -> smtplib.SMTP:
    """A line to the server, encrypted before anything is said on it; raises as smtplib does."""
    s = settings()
    trusts = ssl.create_default_context(cafile=s.smtp_ca or None)
    if s.smtp_tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            s.smtp_host, s.smtp_port, timeout=TIMEOUT_S, context=trusts
        )
    else:
        server = smtplib.SMTP(s.smtp_host, s.smtp_port, timeout=TIMEOUT_S)
    try:
        if s.smtp_tls == "starttls":
            server.starttls(context=trusts)
        if s.smtp_user:
            server.login(s.smtp_user, s.smtp_password)
    except BaseException:
        server.close()
        raise
    return server
