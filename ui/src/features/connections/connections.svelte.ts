// The clouds that images can be sent to, which of them is in use, and who is asked to sign in.

import { asApiError, type Backend } from "../../lib/backend/backend";
import type { ApiError, Connection, ConnectionDraft } from "../../lib/generated/bindings";
import { recall, remember } from "../../lib/storage";

const IN_USE = "imagelotse.connection";

export class Connections {
  #backend: Backend;
  #all = $state.raw<Connection[]>([]);
  #chosen = $state<string | null>(recall(IN_USE));
  #asked = $state<string | null>(null);
  /** Tells who asked to sign in how it went. */
  #answer: ((signedIn: boolean) => void) | null = null;
  #error = $state.raw<ApiError | null>(null);

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The practice cloud first; empty until they are known. */
  get all(): readonly Connection[] {
    return this.#all;
  }

  /** The connection in use; null until it is known. */
  get current(): Connection | null {
    return this.find(this.#chosen) ?? this.#all[0] ?? null;
  }

  get error(): ApiError | null {
    return this.#error;
  }

  /** The connection that the dialog for signing in is open for. */
  get asked(): Connection | null {
    return this.find(this.#asked);
  }

  find(id: string | null): Connection | null {
    return this.#all.find((one) => one.id === id) ?? null;
  }

  /** Takes a connection into use; remembered for the next start. */
  choose(id: string): void {
    this.#chosen = id;
    remember(IN_USE, id);
  }

  async load(): Promise<void> {
    this.#error = null;
    try {
      this.#all = await this.#backend.connections();
    } catch (reason) {
      this.#error = asApiError(reason);
    }
  }

  /** Keeps a new connection (`null`), or changes one. Rejects as the backend does. */
  async save(id: string | null, draft: ConnectionDraft): Promise<Connection> {
    const saved = await this.#backend.saveConnection(id, draft);
    await this.load();
    return saved;
  }

  /** Removes a connection and its secret key. Rejects as the backend does. */
  async remove(id: string, anyway: boolean): Promise<void> {
    await this.#backend.removeConnection(id, anyway);
    await this.load();
  }

  /** Opens the dialog in which a connection gets what it needs; true once it has it. */
  askSignIn(id: string): Promise<boolean> {
    this.#answer?.(false);
    this.#asked = id;
    return new Promise((resolve) => (this.#answer = resolve));
  }

  closeSignIn(signedIn: boolean): void {
    this.#asked = null;
    this.#answer?.(signedIn);
    this.#answer = null;
  }

  /** Gives a connection its secret key. Rejects as the backend does. */
  async signIn(id: string, secret: string): Promise<void> {
    await this.#backend.signIn(id, secret);
    await this.load();
  }

  /** Unlocks the encrypted file of secret keys. Rejects as the backend does. */
  async unlock(passphrase: string): Promise<void> {
    await this.#backend.unlock(passphrase);
    await this.load();
  }
}
