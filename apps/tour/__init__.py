"""The tour: the pages at / and /patterns/NAME, which show the twelve patterns at work.

It may use every app's public face, and nobody may use it. No rule and no data of its own comes in.
"""
