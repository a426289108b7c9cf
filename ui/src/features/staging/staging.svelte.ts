// What stands in the object storages of all connections, as last asked.

import { announcer } from "../../lib/announcer.svelte";
import { asApiError, type Backend } from "../../lib/backend/backend";
import type { ApiError, StagingList, StagingObject } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";
import { questions } from "../../lib/questions.svelte";
import { errorText } from "../../lib/text";
import { isFinal } from "../transfers/phases";
import type { Transfers } from "../transfers/transfers.svelte";

/** Whose a staging object is, which decides what can be done with it. */
export type Owner = "running" | "staged" | "ended" | "elsewhere";

/** Names a staging object in a list: of one key there may be an object and several unfinished uploads. */
export function idOf({ connection, key, kind }: StagingObject): string {
  return [connection, key, kind.is === "open_upload" ? kind.upload_id : ""].join("\n");
}

export class Staging {
  #backend: Backend;
  #transfers: Transfers;
  #list = $state.raw<StagingList | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #loading = $state(false);
  #removing = $state<string | null>(null);
  #asked = 0;

  constructor(backend: Backend, transfers: Transfers) {
    this.#backend = backend;
    this.#transfers = transfers;
  }

  /** Null until the object storages have answered once. */
  get list(): StagingList | null {
    return this.#list;
  }

  get error(): ApiError | null {
    return this.#error;
  }

  get loading(): boolean {
    return this.#loading;
  }

  /** The object that is being removed, by `idOf`. */
  get removing(): string | null {
    return this.#removing;
  }

  /** The whole objects: an unfinished upload's parts are no file yet. */
  get files(): readonly StagingObject[] {
    return (this.#list?.objects ?? []).filter(({ kind }) => kind.is === "object");
  }

  /** Bytes of all whole objects; of an unfinished upload's parts the service tells none. */
  get totalSize(): number {
    return (this.#list?.objects ?? []).reduce((sum, { size }) => sum + (size ?? 0), 0);
  }

  ownerOf({ upload, kind }: StagingObject): Owner {
    if (upload === null) return "elsewhere";
    const state = this.#transfers.find(upload)?.state;
    if (state === undefined || isFinal(state)) return "ended";
    if (state !== "staged") return "running";
    // Parts beside an object that has arrived are left from a try whose answer was lost.
    return kind.is === "object" ? "staged" : "ended";
  }

  /** Asks again; of several questions under way only the latest answer counts. */
  async refresh(): Promise<void> {
    const question = ++this.#asked;
    this.#loading = true;
    try {
      const list = await this.#backend.staging();
      if (question !== this.#asked) return;
      this.#list = list;
      this.#error = null;
    } catch (reason) {
      if (question === this.#asked) this.#error = asApiError(reason);
    } finally {
      if (question === this.#asked) this.#loading = false;
    }
  }

  /** Asks again where the list has been looked at: what it shows has moved. */
  follow(): Promise<void> {
    return this.#list === null ? Promise.resolve() : this.refresh();
  }

  /** False where a person said no: then nothing was tried. */
  async remove(object: StagingObject): Promise<boolean> {
    const name = object.file_name;
    const text = {
      running: m.ui_staging_remove_ended,
      ended: m.ui_staging_remove_ended,
      staged: m.ui_staging_remove_staged,
      elsewhere: m.ui_staging_remove_elsewhere,
    }[this.ownerOf(object)]({ name });
    const yes = await questions.ask({
      title: m.ui_staging_remove_title(),
      text,
      yes: m.ui_staging_remove_yes(),
      no: m.ui_staging_remove_no(),
      grave: true,
    });
    if (!yes || this.#removing !== null) return false;
    this.#removing = idOf(object);
    this.#error = null;
    try {
      const uploadId = object.kind.is === "open_upload" ? object.kind.upload_id : null;
      await this.#backend.removeStaging(object.connection, object.key, uploadId);
      announcer.say(m.ui_staging_removed({ name }));
      await this.refresh();
    } catch (reason) {
      this.#error = asApiError(reason);
      announcer.say(errorText(this.#error).what);
    } finally {
      this.#removing = null;
    }
    return true;
  }
}
