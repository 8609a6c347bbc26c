"""Everything with a clock, a process or the user's function: Domain, the loop, `fmin`, stopping and progress."""
