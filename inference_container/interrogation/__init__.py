"""The words of interrogation: phrases a picture is compared with, and how tags are written."""
