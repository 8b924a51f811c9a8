"""python -m config.server: serve until SIGTERM."""

from config.server.serve import main

main()
