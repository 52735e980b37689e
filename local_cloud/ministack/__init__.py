"""Everything that depends on the internals of ministack, the AWS emulator; `patches` lists what we change in it."""
