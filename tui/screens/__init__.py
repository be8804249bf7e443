"""The console's screens, one file each; `tui/menu.py` names them."""
