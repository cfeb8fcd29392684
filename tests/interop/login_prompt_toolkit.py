"""A telnet server to log in to, on prompt_toolkit; it prints its port."""

import asyncio

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.contrib.telnet.server import TelnetServer


class Server(TelnetServer):
    @classmethod
    def _create_socket(cls, host, port):
        sock = super()._create_socket(host, port)
        print(sock.getsockname()[1], flush=True)
        return sock


async def log_in(connection):
    user = await PromptSession().prompt_async("login: ")
    password = await PromptSession().prompt_async("Password: ", is_password=True)
    print_formatted_text(f"Welcome {user}, password of {len(password)}.")
    session = PromptSession()
    while (command := await session.prompt_async("$ ")) != "exit":
        columns = connection.size.columns
        connection.send(f"{columns} columns\n" if command == "tty" else f"{command!r}\n")
    connection.send("bye\n")


asyncio.run(Server(host="127.0.0.1", port=0, interact=log_in).run())
