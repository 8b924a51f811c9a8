"""Asks the web server on this machine whether it is well; the image's health check.

python -m config.server.probe [/healthz]     # exit status 0: well
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 5


def main(path: str) -> str | None:
    """None if the answer is 200, else what is wrong in one line."""
    # a server that is reached by its address still answers only for its allowed names
    name = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".*") or "localhost"
    url = f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": name}), timeout=TIMEOUT_SECONDS):
            return None
    except (OSError, urllib.error.HTTPError) as error:
        return f"{url}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "/healthz"))
