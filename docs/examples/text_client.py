"""Send texts as lines, through text files around the socket: python3 text_client.py PORT TEXT..."""

import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.connect(("127.0.0.1", int(sys.argv[1])))
    with (
        s.makefile("r", encoding="utf-8", newline="\r\n") as from_server,
        s.makefile("w", encoding="utf-8", newline="") as to_server,
    ):
        for text in sys.argv[2:]:
            to_server.write(text + "\r\n")
            to_server.flush()
            print(repr(from_server.readline()))
