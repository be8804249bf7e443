"""The faces of tourmail: the console and the command line. No SQL, no sockets."""
