"""The center's HTTP interface: one module a resource."""
