"""The clock of trial documents."""

from __future__ import annotations

import datetime


def coarse_utcnow() -> datetime.datetime:
    """Return the present in UTC, cut to milliseconds, without a time zone.

    This is what `book_time` and `refresh_time` of a document hold: a resolution that a database can store and give
    back unchanged.

    Returns
    -------
    datetime.datetime
        Naive; its microseconds are a multiple of 1000.
    """
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
