// One polite voice for screen readers: results and changes of phase, never every step of a progress.

class Announcer {
  #message = $state("");

  get message(): string {
    return this.#message;
  }

  say(message: string): void {
    // The same words twice are not read twice unless the text differs.
    this.#message = message === this.#message ? `${message}\u00a0` : message;
  }
}

export const announcer = new Announcer();
