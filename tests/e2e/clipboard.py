"""Holds the given text as the clipboard's content until it is ended; prints "ready" once it does. Without a text: prints the content as JSON."""

import json
import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
if len(sys.argv) > 1:
    clipboard.set_text(sys.argv[1], -1)
    print("ready", flush=True)
    Gtk.main()
else:
    print(json.dumps(clipboard.wait_for_text()))
