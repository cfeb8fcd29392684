"""Telnet without I/O. `codec` is the layer; the other modules are its parts."""
