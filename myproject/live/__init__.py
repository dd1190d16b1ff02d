"""The live parts: who answered, a clock as an event stream, a chat over WebSocket."""
