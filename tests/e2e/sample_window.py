#!/usr/bin/python3
"""A window with nothing but a web view, for the driver's own tests: shows the names of dropped files and of a chosen one."""

import pathlib

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402

PAGE = """<!doctype html><meta charset="utf-8"><title>Sample</title>
<button id="choose" onclick="document.title = 'choose'">Choose a file</button><p id="chosen"></p>
<div id="target" style="height: 300px; background: #def">Drop here</div><p id="dropped"></p>"""


def choose(view, _property):
    """The page asks for a file by its title, since it has no other way out."""
    if view.get_title() != "choose":
        return
    dialog = Gtk.FileChooserDialog(title="Choose a file", transient_for=window, action=Gtk.FileChooserAction.OPEN)
    dialog.add_buttons("Cancel", Gtk.ResponseType.CANCEL, "Open", Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.OK)
    name = dialog.get_filename() if dialog.run() == Gtk.ResponseType.OK else ""
    dialog.destroy()
    view.evaluate_javascript(f"chosen.textContent = {name!r}", -1, None, None, None, None)


def receive(view, _context, _x, _y, data, _info, _time):
    """As Tauri does it: a page itself is not shown files from outside."""
    names = [pathlib.Path(GLib.filename_from_uri(uri)[0]).name for uri in data.get_uris()]
    if names:
        view.evaluate_javascript(f"dropped.textContent = {', '.join(names)!r}", -1, None, None, None, None)


context = WebKit2.WebContext.get_default()
context.set_automation_allowed(True)
view = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
context.connect("automation-started", lambda _context, session: session.connect("create-web-view", lambda _session: view))
view.connect("drag-data-received", receive)
view.connect("notify::title", choose)
view.load_html(PAGE, "http://sample.invalid/")
window = Gtk.Window(title="Sample window", default_width=800, default_height=600)
window.connect("destroy", Gtk.main_quit)
window.add(view)
window.show_all()
Gtk.main()
