//! Files dragged onto the window: told to the page as events, wherever in the window they are dropped.

use lotse_api::{DRAG_OVER, DragOver, DroppedFiles, FILES_DROPPED, crossing};
use serde::Serialize;
use tauri::{DragDropEvent, Emitter as _, Window, WindowEvent};

/// Passes drag and drop on; every other event is left alone.
pub(crate) fn on_window_event(window: &Window, event: &WindowEvent) {
    let WindowEvent::DragDrop(event) = event else { return };
    match event {
        DragDropEvent::Enter { .. } => tell(window, DRAG_OVER, DragOver { over: true }),
        DragDropEvent::Leave => tell(window, DRAG_OVER, DragOver { over: false }),
        DragDropEvent::Drop { paths, .. } => {
            tell(window, DRAG_OVER, DragOver { over: false });
            tell(
                window,
                FILES_DROPPED,
                DroppedFiles {
                    paths: paths.iter().map(|path| crossing(path)).collect(),
                },
            );
        }
        // Each move of the pointer is an event of its own; the page need not hear of them.
        _ => {}
    }
}

fn tell(window: &Window, event: &str, payload: impl Serialize + Clone) {
    if let Err(error) = window.emit_to(window.label(), event, payload) {
        tracing::warn!(event, %error, "the page could not be told");
    }
}
