"""A Textual driver for slow and broken lines; it needs Textual and nothing else of this project.

Any Textual app can take it: `App(driver_class=ThriftyDriver)`, with the class from `driver.py`.
"""
