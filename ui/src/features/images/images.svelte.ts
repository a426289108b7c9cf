// The images in the cloud, as last asked.

import { asApiError, type Backend } from "../../lib/backend/backend";
import type { ApiError, ImageList } from "../../lib/generated/bindings";
import type { Connections } from "../connections/connections.svelte";

export class Images {
  #backend: Backend;
  #connections: Connections;
  #list = $state.raw<ImageList | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #loading = $state(false);
  #asked = 0;

  constructor(backend: Backend, connections: Connections) {
    this.#backend = backend;
    this.#connections = connections;
  }

  /** Does the connection lead to a list of images? An object storage alone has none. */
  get isKept(): boolean {
    return this.#connections.current?.kind === "practice";
  }

  /** Null until the cloud has answered once. */
  get list(): ImageList | null {
    return this.#list;
  }

  get error(): ApiError | null {
    return this.#error;
  }

  get loading(): boolean {
    return this.#loading;
  }

  /** Asks again; of several questions under way only the latest answer counts. */
  async refresh(): Promise<void> {
    const connection = this.#connections.current;
    if (!connection) return;
    if (!this.isKept) {
      this.#asked += 1;
      this.#list = null;
      this.#error = null;
      this.#loading = false;
      return;
    }
    const question = ++this.#asked;
    this.#loading = true;
    try {
      const list = await this.#backend.images(connection.id);
      if (question !== this.#asked) return;
      this.#list = list;
      this.#error = null;
    } catch (reason) {
      if (question === this.#asked) this.#error = asApiError(reason);
    } finally {
      if (question === this.#asked) this.#loading = false;
    }
  }
}
