"""A Textual driver for lines that are slow and may break. It needs nothing else of this project.

Any Textual app can take it::

    from tui.terminal.driver import ThriftyDriver

    class Desk(App[None]):
        async def on_hang_up(self) -> None: ...   # optional: keep what would be lost

    app = Desk(driver_class=ThriftyDriver)
    app.run()
    sys.exit(app.return_code)                      # 129 where the terminal has vanished

Textual writes the whole region of every widget that asked for a refresh. The driver keeps what the
terminal shows, and sends the cells that differ: 14 bytes instead of 140 for a typed character. What
it does not understand is passed on as it is, and the next frames are sent whole.

* `driver.py`   the driver: what goes out, what comes in, and the end in order
* `frames.py`   tells Textual's frames from the rest of what it writes
* `screen.py`   the cells of a screen, and how a frame changes them
* `paint.py`    the cells that differ; `strokes.py` the shortest way to write them
* `pen.py`      how a cell is drawn, and the shortest way from one pen to another
* `keyboard.py` what arrives: noise, keys that the line cuts, the key Esc
* `pastes.py`   what is pasted
* `outlet.py`   the terminal's file, which outlives the terminal
"""
