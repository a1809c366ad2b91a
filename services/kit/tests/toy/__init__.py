"""Two toy services with a saga between them, and a toy bank: the kit's own proving ground."""
