"""The pure parts by themselves: parsing, scalars, names, facts, properties. No server, milliseconds each."""
