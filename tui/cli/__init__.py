"""The command line: one thin file for each noun, imported only when its noun is named."""
