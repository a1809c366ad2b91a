"""`shop reconcile`: where the services disagree after one database was put back to a copy."""
