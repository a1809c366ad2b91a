"""All services of the shop in one process, and the shop command."""
