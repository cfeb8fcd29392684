"""A telnet server to log in to, on telnetlib3; it prints its port."""

import asyncio
import sys

import telnetlib3
from telnetlib3.telopt import ECHO, WILL, WONT


async def ask(reader, writer, prompt):
    writer.write(prompt)
    await writer.drain()
    return (await reader.readline()).rstrip("\r\n\0")


async def log_in(reader, writer):
    user = await ask(reader, writer, "login: ")
    writer.iac(WILL, ECHO)
    password = await ask(reader, writer, "Password: ")
    writer.iac(WONT, ECHO)
    writer.write(f"\r\nWelcome {user}, password of {len(password)}.\r\n")
    while (command := await ask(reader, writer, "$ ")) != "exit":
        terminal, columns = writer.get_extra_info("TERM").lower(), writer.get_extra_info("cols")
        answer = f"{terminal} of {columns} columns" if command == "tty" else repr(command)
        writer.write(f"{answer}\r\n")
    writer.write("bye\r\n")
    await writer.drain()
    writer.close()


async def main():
    own = sys.argv[1] == "own"  # telnetlib3's own shell: it echoes each key, as for a terminal
    server = await telnetlib3.create_server(
        host="127.0.0.1",
        port=0,
        shell=telnetlib3.telnet_server_shell if own else log_in,
        line_mode=not own,
        connect_maxwait=0.5,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
