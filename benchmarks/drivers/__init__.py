"""What runs in a system's own environment: its application, and how a client uses it. One module a system."""
