"""Everything on the wire: layers (TLS, telnet), lines, and bytes as text. No I/O and no clock."""
