"""Every operation of the six service descriptions against a running server:
main.py DESCRIPTIONS URL EXPECTED, where EXPECTED tells in JSON what the catalog holds.

Prints what it got and, for each operation, how often it was answered and how it was refused.
"""

import json
import sys

import computers
import servers
from client import Client

descriptions, root, expected = sys.argv[1:]
with open(expected) as file:
    expected = json.load(file)
client = Client(descriptions, root)
servers.run(client, expected)
computers.run(client, expected)
for (service, operation), (answered, refused) in client.called.items():
    assert refused, f"{service} {operation} was never refused"
    print(f"{service} {operation}: {answered} answers; {', '.join(sorted(refused))}")
