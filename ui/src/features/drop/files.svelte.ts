// The files that were dropped or chosen, each checked on its own: one bad file does not disturb the others.

import { SvelteMap } from "svelte/reactivity";

import { announcer } from "../../lib/announcer.svelte";
import { asApiError, type Backend, type Unsubscribe } from "../../lib/backend/backend";
import type { ApiError, CheckedFile } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";
import { errorText, verdictTitle } from "../../lib/text";
import { Draft } from "../details/draft.svelte";
import { outlook } from "../report/sections";

export type Check =
  { state: "checking" } | { state: "checked"; file: CheckedFile } | { state: "failed"; error: ApiError };

export class DroppedFile {
  readonly path: string;
  readonly name: string;
  check = $state.raw<Check>({ state: "checking" });
  /** Are report and form unfolded? */
  open = $state(true);
  /** The upload made of it, once there is one. */
  uploadId = $state<string | null>(null);
  /** What was typed into the form; it outlives every new check. */
  readonly draft = new Draft();
  /** Counts the checks, so that the answer to an older one is not taken for the latest. */
  checks = 0;

  constructor(path: string) {
    this.path = path;
    this.name = path.split(/[\\/]/).findLast((part) => part !== "") ?? path;
  }
}

export class Files {
  #backend: Backend;
  #isUnderWay: (uploadId: string | null) => boolean;
  /** By path, the latest first. */
  #all = new SvelteMap<string, DroppedFile>();
  #choosing = $state(false);
  #dragging = $state(false);
  #chooseError = $state.raw<ApiError | null>(null);

  constructor(backend: Backend, isUnderWay: (uploadId: string | null) => boolean) {
    this.#backend = backend;
    this.#isUnderWay = isUnderWay;
  }

  get all(): DroppedFile[] {
    return [...this.#all.values()].reverse();
  }

  get dragging(): boolean {
    return this.#dragging;
  }

  /** Is the system's file dialog open? */
  get choosing(): boolean {
    return this.#choosing;
  }

  get chooseError(): ApiError | null {
    return this.#chooseError;
  }

  start(): Unsubscribe {
    const ends = [
      this.#backend.onDragging((over) => {
        this.#dragging = over;
      }),
      this.#backend.onFilesDropped((paths) => {
        this.#dragging = false;
        this.add(paths);
      }),
    ];
    return () => ends.forEach((end) => end());
  }

  async choose(): Promise<void> {
    if (this.#choosing) return;
    this.#choosing = true;
    this.#chooseError = null;
    try {
      this.add(await this.#backend.chooseFiles(m.ui_choose_file_title()));
    } catch (reason) {
      this.#chooseError = asApiError(reason);
    } finally {
      this.#choosing = false;
    }
  }

  /**
   * Takes new files in; one that is there already comes to the top, keeps what was typed and is checked again. Several
   * at once come folded, so that all are seen.
   */
  add(paths: readonly string[]): void {
    const unique = [...new Set(paths)];
    for (const path of unique.toReversed()) {
      const file = this.#all.get(path) ?? new DroppedFile(path);
      // What is being sent right now is not offered to be sent once more.
      if (!this.#isUnderWay(file.uploadId)) file.uploadId = null;
      this.#all.delete(path);
      this.#all.set(path, file);
    }
    if (unique.length > 0) {
      for (const file of this.#all.values()) file.open = unique.length === 1 && file.path === unique[0];
    }
    for (const path of unique) {
      const file = this.#all.get(path);
      if (file) void this.check(file);
    }
  }

  async check(file: DroppedFile): Promise<void> {
    const check = ++file.checks;
    file.check = { state: "checking" };
    let result: Check;
    try {
      result = { state: "checked", file: await this.#backend.check(file.path) };
    } catch (reason) {
      result = { state: "failed", error: asApiError(reason) };
    }
    if (check !== file.checks || this.#all.get(file.path) !== file) return;
    file.check = result;
    const outcome =
      result.state === "checked" ? verdictTitle(outlook(result.file.report)) : errorText(result.error).what;
    announcer.say(m.ui_announce_checked({ file: file.name, result: outcome }));
  }

  remove(file: DroppedFile): void {
    this.#all.delete(file.path);
    if (this.#all.size === 1) for (const last of this.#all.values()) last.open = true;
  }
}
