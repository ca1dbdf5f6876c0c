"""Features by their printed names, and by the definitions that published models carry."""
