// All uploads, as the program last reported them, and what can be done with them.

import { announcer } from "../../lib/announcer.svelte";
import { asApiError, type Backend, type Unsubscribe } from "../../lib/backend/backend";
import type { ApiError, Upload, UploadRequest, UploadState } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";
import { questions } from "../../lib/questions.svelte";
import { errorText } from "../../lib/text";
import { isFinal, isPausable, isRunning, overall, stateWord } from "./phases";

export class Transfers {
  #backend: Backend;
  #onDone: () => void;
  #onStaged: (upload: Upload) => void;
  #onMoved: () => void;
  /** What has not ended in the queue's order, then what has, as the program delivers them. */
  #uploads = $state.raw<Upload[]>([]);
  #error = $state.raw<ApiError | null>(null);
  #reported = false;
  panelOpen = $state(false);

  /** Tells of images that were made, of what came to be staged, and that something began or ceased to be staged. */
  constructor(backend: Backend, onDone: () => void, onStaged: (upload: Upload) => void, onMoved: () => void) {
    this.#backend = backend;
    this.#onDone = onDone;
    this.#onStaged = onStaged;
    this.#onMoved = onMoved;
  }

  /** What has not ended in the queue's order, then what has, the latest first. */
  get all(): Upload[] {
    return this.#uploads;
  }

  get running(): Upload[] {
    return this.#uploads.filter((upload) => isRunning(upload.state));
  }

  /** What waits for its turn, in the order in which it will run. */
  get waiting(): Upload[] {
    return this.#uploads.filter((upload) => upload.state === "queued");
  }

  /** What stands in an object storage and waits for a person to import it. */
  get staged(): Upload[] {
    return this.#uploads.filter((upload) => upload.state === "staged");
  }

  get pausable(): Upload[] {
    return this.#uploads.filter((upload) => isPausable(upload.state));
  }

  get paused(): Upload[] {
    return this.#uploads.filter((upload) => upload.state === "paused" || upload.state === "interrupted");
  }

  /** What "cancel all" takes back: what stands ready for the import is taken back one by one only. */
  get cancellable(): Upload[] {
    return this.#uploads.filter(({ state }) => !isFinal(state) && state !== "staged");
  }

  /** How far the running uploads are together, 0 to 1; null when none runs. */
  get progress(): number | null {
    const running = this.running;
    const total = running.reduce((sum, upload) => sum + Math.max(upload.total, 1), 0);
    if (running.length === 0) return null;
    return running.reduce((sum, upload) => sum + overall(upload) * Math.max(upload.total, 1), 0) / total;
  }

  /** Why the last thing asked for here did not happen. */
  get error(): ApiError | null {
    return this.#error;
  }

  find(id: string | null): Upload | null {
    return this.#uploads.find((upload) => upload.id === id) ?? null;
  }

  start(): Unsubscribe {
    const end = this.#backend.onUploads((uploads) => {
      this.#reported = true;
      this.#take(uploads);
    });
    void this.#attempt(async () => {
      const uploads = await this.#backend.uploads();
      if (!this.#reported) this.#uploads = uploads;
    });
    return end;
  }

  /** Rejects with an `ApiError`. */
  async send(request: UploadRequest): Promise<Upload> {
    const upload = await this.#backend.startUpload(request);
    if (!this.find(upload.id)) {
      const ended = this.#uploads.findIndex(({ state }) => isFinal(state));
      this.#uploads = this.#uploads.toSpliced(ended < 0 ? this.#uploads.length : ended, 0, upload);
    }
    return upload;
  }

  /** Answers with why it was not cancelled, or null. */
  async cancel(upload: Upload): Promise<ApiError | null> {
    const { name } = upload.details;
    const words =
      upload.state === "staged"
        ? {
            title: m.ui_cancel_staged_title(),
            text: m.ui_cancel_staged_text({ name }),
            yes: m.ui_cancel_staged_yes(),
            no: m.ui_cancel_staged_no(),
          }
        : {
            title: m.ui_cancel_title(),
            text: m.ui_cancel_text({ name }),
            yes: m.ui_cancel_yes(),
            no: m.ui_cancel_no(),
          };
    const yes = await questions.ask({ ...words, grave: true });
    if (!yes) return null;
    await this.#attempt(() => this.#backend.cancelUpload(upload.id));
    return this.#error;
  }

  async cancelAll(): Promise<void> {
    const yes = await questions.ask({
      title: m.ui_cancel_all_title(),
      text: m.ui_cancel_all_text(),
      yes: m.ui_cancel_all_yes(),
      no: m.ui_cancel_no(),
      grave: true,
    });
    if (yes) await this.#attempt(() => this.#backend.cancelAllUploads());
  }

  resume(upload: Upload): Promise<void> {
    return this.#attempt(() => this.#backend.resumeUpload(upload.id));
  }

  resumeAll(): Promise<void> {
    return this.#attempt(() => this.#backend.resumeAllUploads());
  }

  pause(upload: Upload): Promise<void> {
    return this.#attempt(() => this.#backend.pauseUpload(upload.id));
  }

  pauseAll(): Promise<void> {
    return this.#attempt(() => this.#backend.pauseAllUploads());
  }

  /** Moves what waits one place up (-1) or down (1) among what waits. */
  async move(upload: Upload, by: -1 | 1): Promise<void> {
    const { waiting } = this;
    const at = waiting.findIndex(({ id }) => id === upload.id);
    const other = at < 0 ? undefined : waiting[at + by];
    if (!other) return;
    const [moved, before] = by < 0 ? [upload, other] : [other, upload];
    await this.#attempt(() => this.#backend.moveUpload(moved.id, before.id));
    if (this.#error) return;
    const place = { name: upload.details.name, place: at + by + 1, count: waiting.length };
    announcer.say(m.ui_announce_moved(place));
  }

  /** Sends the file as it is now, from its beginning. */
  restart(upload: Upload): Promise<void> {
    return this.#attempt(() => this.#backend.restartUpload(upload.id));
  }

  /** Lets the person show where the file is now. */
  relocate(upload: Upload): Promise<void> {
    return this.#attempt(async () => {
      const [path] = await this.#backend.chooseFiles(m.ui_relocate_title());
      if (path !== undefined) await this.#backend.relocateUpload(upload.id, path);
    });
  }

  forget(upload: Upload): Promise<void> {
    return this.#attempt(() => this.#backend.forgetUpload(upload.id));
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    this.#error = null;
    try {
      await action();
    } catch (reason) {
      this.#error = asApiError(reason);
      announcer.say(errorText(this.#error).what);
    }
  }

  #take(uploads: Upload[]): void {
    const before = new Map<string, UploadState>(this.#uploads.map((upload) => [upload.id, upload.state]));
    this.#uploads = uploads;
    let finished = false;
    let moved = false;
    const staged: Upload[] = [];
    for (const upload of uploads) {
      const previous = before.get(upload.id);
      if (previous === undefined || previous === upload.state) continue;
      finished ||= upload.state === "done";
      moved ||= upload.state === "staged" || previous === "staged";
      if (upload.state === "staged") staged.push(upload);
      const state =
        upload.state === "failed" && upload.error ? errorText(upload.error).what : stateWord(upload);
      announcer.say(m.ui_announce_upload({ name: upload.details.name, state }));
    }
    if (finished) this.#onDone();
    if (moved) this.#onMoved();
    staged.forEach((upload) => this.#onStaged(upload));
  }
}
