// The hand-over of staged images: which page is shown, what it tells, and what a person has to be reminded of.

import { SvelteSet } from "svelte/reactivity";

import { announcer } from "../../lib/announcer.svelte";
import { asApiError, type Backend, type Unsubscribe } from "../../lib/backend/backend";
import type { ApiError, HandOver, Language, Upload } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";
import { questions } from "../../lib/questions.svelte";
import { errorText } from "../../lib/text";
import { TRANSFERS_PANEL } from "../transfers/ids";
import type { Transfers } from "../transfers/transfers.svelte";

const HOUR = 3_600_000;
/** An address that works for less than this many milliseconds is nearly over. */
const NEARLY_OVER = 24 * HOUR;
/** Milliseconds between two looks at the clock: what is told counts in hours. */
const LOOK = 60_000;

/** How long the address works: for days, for less than a day, or not (the file is private). */
export type Reach = "open" | "nearly_over" | "private";

export function reach({ published, public_until }: Upload, now: number): Reach {
  if (published === null) return "private";
  const left = public_until === null ? Infinity : Date.parse(public_until) - now;
  return left < NEARLY_OVER ? "nearly_over" : "open";
}

/** Something about a staged image that a person should know wherever in the window they are. */
export type Notice = { id: string; upload: Upload; about: Reach };

export type Task = "checking" | "publishing" | "finishing" | "mailing" | "opening";

/** What did not happen, why, and how it is tried again. */
export type Failure = { of: Task | "loading"; error: ApiError; again: () => Promise<void> };

/** Does the person write, choose or answer something at the moment, which nothing may come between? */
function isOccupied(): boolean {
  const focused = document.activeElement;
  return (
    questions.current !== null ||
    document.querySelector("dialog[open]") !== null ||
    focused?.matches("input, select, textarea, [contenteditable]") === true ||
    focused?.matches(`#${TRANSFERS_PANEL} button`) === true
  );
}

export class HandOvers {
  #backend: Backend;
  #transfers: Transfers;
  #current = $state<string | null>(null);
  #told = $state.raw<HandOver | null>(null);
  #failure = $state.raw<Failure | null>(null);
  #task = $state<Task | null>(null);
  #done = $state("");
  /** Images that came to be staged while the person was at something else. */
  #arrived = new SvelteSet<string>();
  /** Notices that were put away. */
  #dismissed = new SvelteSet<string>();
  #now = $state(Date.now());

  constructor(backend: Backend, transfers: Transfers) {
    this.#backend = backend;
    this.#transfers = transfers;
  }

  /** Id of the upload of which the page is shown; null when another view is. */
  get current(): string | null {
    return this.#current;
  }

  /** The upload of the page; null when it is gone from the list. */
  get upload(): Upload | null {
    return this.#transfers.find(this.#current);
  }

  /** What the panel asks for; null until the program has told it. */
  get told(): HandOver | null {
    return this.#told;
  }

  /** Why the last thing asked for on this page did not happen. */
  get failure(): Failure | null {
    return this.#failure;
  }

  get task(): Task | null {
    return this.#task;
  }

  /** How the last thing asked for went, where it went well. */
  get done(): string {
    return this.#done;
  }

  reachOf(upload: Upload): Reach {
    return reach(upload, this.#now);
  }

  /** What is to be told of staged images; of the one whose page is open, the page tells it. */
  get notices(): Notice[] {
    return this.#transfers.staged
      .map((upload) => ({ upload, about: this.reachOf(upload), id: "" }))
      .map((notice) => ({ ...notice, id: `${notice.upload.id} ${notice.about}` }))
      .filter(({ upload, about }) => about !== "open" || this.#arrived.has(upload.id))
      .filter(({ upload, id }) => upload.id !== this.#current && !this.#dismissed.has(id));
  }

  start(): Unsubscribe {
    const clock = setInterval(() => (this.#now = Date.now()), LOOK);
    return () => clearInterval(clock);
  }

  /** An upload has just come to be staged: its page comes by itself, unless that would come between something. */
  arrive(upload: Upload): void {
    this.#now = Date.now();
    if (this.#current === null && !isOccupied()) return this.open(upload.id);
    this.#arrived.add(upload.id);
    const { name } = upload.details;
    announcer.say(upload.published === null ? m.ui_notice_private({ name }) : m.ui_notice_ready({ name }));
  }

  open(id: string): void {
    this.#current = id;
    this.#arrived.delete(id);
    this.#told = null;
    this.#failure = null;
    this.#done = "";
    this.#transfers.panelOpen = false;
    void this.load();
  }

  close(): void {
    this.#current = null;
  }

  dismiss(notice: Notice): void {
    this.#arrived.delete(notice.upload.id);
    this.#dismissed.add(notice.id);
  }

  /** Asks for what the page shows. Why something that was pressed did not happen stays told meanwhile. */
  async load(): Promise<void> {
    const id = this.#current;
    if (id === null) return;
    if (this.#failure?.of === "loading") this.#failure = null;
    try {
      const told = await this.#backend.handOver(id);
      if (id === this.#current) this.#told = told;
    } catch (reason) {
      if (this.#failure === null) this.#fail(id, "loading", reason, () => this.load());
    }
  }

  /** Looks whether the address answers; makes the file public again where it is not. */
  check(upload: Upload): Promise<void> {
    return this.#publish("checking", upload);
  }

  publish(upload: Upload): Promise<void> {
    return this.#publish("publishing", upload);
  }

  mail(upload: Upload, language: Language): Promise<void> {
    return this.#attempt("mailing", upload, async () => {
      await this.#backend.mailHandOver(upload.id, language);
      return m.ui_mail_opened();
    });
  }

  openPanel(upload: Upload): Promise<void> {
    return this.#attempt("opening", upload, async () => {
      await this.#backend.openPanel(upload.connection);
      return "";
    });
  }

  /** The image is in ccloud³: what stood in the object storage goes. */
  async finish(upload: Upload): Promise<void> {
    const yes = await questions.ask({
      title: m.ui_finish_title(),
      text: m.ui_finish_text({ name: upload.details.name }),
      yes: m.ui_finish_yes(),
      no: m.ui_finish_no(),
      grave: false,
    });
    if (!yes) return;
    await this.#attempt("finishing", upload, async () => {
      await this.#backend.importFinished(upload.id);
      return "";
    });
  }

  #publish(task: Task, upload: Upload): Promise<void> {
    return this.#attempt(task, upload, async () => {
      const told = await this.#backend.publishAgain(upload.id);
      if (upload.id === this.#current) this.#told = told;
      return m.ui_handover_answers();
    });
  }

  /** One thing at a time; what it returns is the good news. */
  async #attempt(task: Task, upload: Upload, action: () => Promise<string>): Promise<void> {
    const { id } = upload;
    if (this.#task !== null) return;
    this.#task = task;
    this.#failure = null;
    this.#done = "";
    try {
      const done = await action();
      if (id === this.#current) this.#done = done;
      if (done) announcer.say(done);
    } catch (reason) {
      this.#fail(id, task, reason, () => this.#attempt(task, upload, action));
    } finally {
      this.#task = null;
    }
  }

  /** Told on the page of the upload, while it is still open. */
  #fail(id: string, of: Failure["of"], reason: unknown, again: Failure["again"]): void {
    if (id !== this.#current) return;
    const error = asApiError(reason);
    this.#failure = { of, error, again };
    announcer.say(errorText(error).what);
  }
}
