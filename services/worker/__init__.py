"""Workers: the processes that do what is due, whoever asked for it."""
