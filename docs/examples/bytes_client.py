"""Send words with no line end, and wait for each echo: python3 bytes_client.py PORT WORD..."""

import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.connect(("127.0.0.1", int(sys.argv[1])))
    for word in sys.argv[2:]:
        s.send(word.encode())
        print(s.recv(1024).decode())
