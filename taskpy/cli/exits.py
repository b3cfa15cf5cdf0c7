"""What the exit codes of `taskpy` mean. They are part of its interface: docs/cli.md lists them."""

#: The task, or what was asked for, has failed.
FAILED = 1
#: The command line is wrong; click's own code.
USAGE = 2
#: No such task, dead letter or server.
NOT_FOUND = 3
#: Redis does not answer, or refuses.
UNREACHABLE = 4
#: `doctor` has found something wrong.
UNHEALTHY = 5
#: The time was over first; as in timeout(1).
TIMED_OUT = 124
#: Ctrl-C.
INTERRUPTED = 130

#: For the end of the help.
EXPLAINED = """\b
Exit codes: 0 done, 1 the task or the operation failed, 2 wrong usage, 3 not
found, 4 Redis does not answer or refuses, 5 unhealthy (doctor), 124 the time
was over, 130 Ctrl-C."""
