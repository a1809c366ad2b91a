"""What users may do with MicroServices: the table of docs/security.md, row by row."""

USERS = [  # aggregated role, verb, resource, allowed
    ("view", "get", "microservices", True),
    ("view", "watch", "microservices", True),
    ("view", "create", "microservices", False),
    ("view", "patch", "microservices", False),
    ("view", "delete", "microservices", False),
    ("view", "patch", "microservices/status", False),
    ("edit", "list", "microservices", True),
    ("edit", "create", "microservices", True),
    ("edit", "patch", "microservices", True),
    ("edit", "deletecollection", "microservices", True),
    ("edit", "patch", "microservices/status", False),
    ("edit", "update", "microservices/status", False),
    ("edit", "update", "microservices/finalizers", False),
    ("admin", "update", "microservices", True),
    ("admin", "delete", "microservices", True),
    ("admin", "patch", "microservices/status", False),
    ("admin", "update", "microservices/status", False),
    ("admin", "escalate", "microservices", False),
]
