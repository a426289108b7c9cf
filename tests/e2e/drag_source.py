"""A small box in the upper left corner from which the given files can be dragged, as a file manager offers them.

Prints where to press, then "dropped" or "failed" when the drag is over.
"""

import pathlib
import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk  # noqa: E402

PATHS = sys.argv[1:]
SIZE = 60


def offer(_widget, _context, data, _info, _time):
    data.set_uris([pathlib.Path(path).absolute().as_uri() for path in PATHS])


def say(word):
    print(word, flush=True)


def failed(_widget, _context, _result):
    say("failed")
    return False


window = Gtk.Window(title="drag source", decorated=False, resizable=False)
window.set_keep_above(True)
window.set_default_size(SIZE, SIZE)
box = Gtk.EventBox()
box.set_size_request(SIZE, SIZE)
box.add(Gtk.Label(label="files"))
box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
box.drag_source_add_uri_targets()
box.connect("drag-data-get", offer)
box.connect("drag-failed", failed)
box.connect("drag-end", lambda _widget, _context: say("dropped"))
window.add(box)
window.connect("map-event", lambda *_: GLib.timeout_add(200, ready))
window.move(0, 0)


def ready():
    _, x, y = window.get_window().get_origin()
    say(f"{x + SIZE // 2} {y + SIZE // 2}")
    return False


window.show_all()
Gtk.main()
