"""An echo server of one connection, on plain sockets: python3 one_connection_server.py [PORT]"""

import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 2020

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"cannot listen on port {port}: {error.strerror}")
    listening.listen()
    print("listening on port", listening.getsockname()[1], flush=True)
    connection, address = listening.accept()
    with connection:
        print("connected by", address, flush=True)
        while True:
            data = connection.recv(1024)
            if not data:
                break
            connection.sendall(data)
print("the peer has left")
