"""What all services and the bank say together: the joined part of the audit."""
