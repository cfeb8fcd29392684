"""A telnet server to log in to, on prompt_toolkit; it prints its port."""

import asyncio

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.completion import WordCompleter
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
    # With its menu, which is drawn below the line while that is typed.
    session = PromptSession(completer=WordCompleter(["count", "exit", "terminal", "tty"]))
    while (command := await session.prompt_async("$ ")) != "exit":
        match command:
            case "count":
                connection.send("".join(f"{number}\n" for number in range(1, 5001)))
            case "tty":
                connection.send(f"{connection.size.columns} columns\n")
            case _:
                connection.send(f"{command!r}\n")
    connection.send("bye\n")


asyncio.run(Server(host="127.0.0.1", port=0, interact=log_in).run())
