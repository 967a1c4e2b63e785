"""`./robot demo`: center, robot and simulator or recording, started together and compared with the truth."""
