"""The shell: what a person sees and types. On prompt_toolkit; knows `client`, not `server`."""
