"""How long a process has been in touch with the server without a break.

Only the server's clock says that a lease has run out; but while the server was away, or this machine asleep, nobody
could extend any lease, and those that ran out then mean nothing. So whoever takes trials back first has to have been in
touch for as long as the lease lasts: time enough for every live holder to have been heard. This is the one place where
a clock of this machine matters, and it can only make the taker more patient.
"""

from __future__ import annotations

import math
import time

#: Seconds of silence that break no contact, whatever the lease.
SHORT_SILENCE = 10.0


def awake_and_asleep() -> float:
    """Return the seconds since some moment, those included in which the machine slept."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Contact:
    """The silences between answers of the server, as far as they can still matter.

    A silence is forgotten when a longer one follows, so few are ever kept.

    Examples
    --------
    >>> contact = Contact()
    >>> contact.heard(at=0.0), contact.heard(at=5.0), contact.heard(at=45.0), contact.heard(at=50.0)
    (None, None, None, None)
    >>> contact.steady(lease=60.0, at=50.0), contact.steady(lease=60.0, at=61.0)
    (False, False)
    >>> contact.steady(lease=90.0, at=51.0), contact.steady(lease=5.0, at=51.0)
    (False, True)
    """

    def __init__(self) -> None:
        self._last: float | None = None
        self._silences: list[tuple[float, float]] = []  # (end, length): later ones are shorter

    def heard(self, at: float | None = None) -> None:
        """Note an answer, now."""
        now = awake_and_asleep() if at is None else at
        length = math.inf if self._last is None else now - self._last
        while self._silences and self._silences[-1][1] <= length:
            self._silences.pop()
        self._silences.append((now, length))
        self._last = now

    def steady(self, lease: float, at: float | None = None) -> bool:
        """Whether for the last `lease` seconds there was no silence that a live holder could have been lost in."""
        now = awake_and_asleep() if at is None else at
        tolerated = max(lease / 2, SHORT_SILENCE)
        if self._last is None or now - self._last > tolerated:
            return False
        return all(now - end >= lease for end, length in self._silences if length > tolerated)
