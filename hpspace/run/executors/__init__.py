"""Where objectives are evaluated when not in this very call stack: processes, threads, other people's pools."""
