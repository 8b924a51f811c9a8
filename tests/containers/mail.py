"""A mail server that keeps nothing and prints what it is sent: enough of SMTP (RFC 5321) for a client to believe it."""

from __future__ import annotations

import json
import signal
import socketserver
import sys

PORT = 2525


class Conversation(socketserver.StreamRequestHandler):
    """One client: commands until QUIT, each message as a JSON line on stdout."""

    def handle(self) -> None:
        self._answer("220 sink")
        for raw in self.rfile:
            verb = raw[:4].upper().strip()
            if verb == b"DATA":
                self._answer("354 go on")
                # in one piece, for other conversations go on at the same time
                sys.stdout.write(json.dumps({"event": "mail", "text": self._message()}) + "\n")
            self._answer("221 bye" if verb == b"QUIT" else "250 sink")
            if verb == b"QUIT":
                return

    def _message(self) -> str:
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(lines).decode(errors="replace")

    def _answer(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer(("", PORT), Conversation).serve_forever()
