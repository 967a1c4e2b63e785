"""Draws that anyone can verify: objects by risk, officers by duty and workload, berths, teams, zones, channels."""
