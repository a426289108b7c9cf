// The clouds that images can be sent to. For now there is one: the practice cloud.

import { asApiError, type Backend } from "../../lib/backend/backend";
import type { ApiError, Connection } from "../../lib/generated/bindings";

export class Connections {
  #backend: Backend;
  #all = $state.raw<Connection[]>([]);
  #error = $state.raw<ApiError | null>(null);

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The connection in use; null until it is known. */
  get current(): Connection | null {
    return this.#all[0] ?? null;
  }

  get error(): ApiError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    this.#error = null;
    try {
      this.#all = await this.#backend.connections();
    } catch (reason) {
      this.#error = asApiError(reason);
    }
  }
}
