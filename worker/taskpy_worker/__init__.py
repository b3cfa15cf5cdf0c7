"""The worker daemon of taskpy: a supervisor, and child processes that claim tasks and run them."""
