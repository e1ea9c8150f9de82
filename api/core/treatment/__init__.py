"""The medicine: sessions from booking to completion."""
