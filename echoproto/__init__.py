"""An echo service you can leave running, and the line client you leave open beside it."""
