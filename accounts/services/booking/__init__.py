"""Booking: outside facts become journals, one per fact version, set-based and in batches."""

from accounts.services.booking.run import Booked, book_all, book_connection

__all__ = ["Booked", "book_all", "book_connection"]
