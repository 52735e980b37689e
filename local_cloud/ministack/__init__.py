"""All that knows ministack, the AWS emulator, from the inside; `patches` is the table of what is changed in it."""
