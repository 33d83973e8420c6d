"""The AWS emulator of the local run: MiniStack, behind a guard, made durable."""
