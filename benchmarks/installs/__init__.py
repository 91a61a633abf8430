"""Does what is published install and run: on each Python, with each interpreter, on ARM too."""
