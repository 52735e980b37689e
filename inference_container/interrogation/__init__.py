"""The texts of interrogation: phrases that a picture is compared with, and the format of tags."""
