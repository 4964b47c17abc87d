"""Runs the API: `python -m graphql_api.serve --port 8000`."""

import argparse
import sys

import uvicorn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m graphql_api.serve")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)
    uvicorn.run(
        "graphql_api.app:app",
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
