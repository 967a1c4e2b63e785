"""How reports of robots become rows: read and judged without a database, then stored in one transaction."""
