"""`python -m echoproto` is `echoproto`."""

from echoproto.cli import main

main()
