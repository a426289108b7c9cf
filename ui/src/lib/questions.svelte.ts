// Asks before something cannot be taken back. One question at a time; the dialog in App.svelte shows it.

export type Question = { title: string; text: string; yes: string; no: string; grave: boolean };

class Questions {
  #current = $state.raw<Question | null>(null);
  #answer: ((yes: boolean) => void) | null = null;

  get current(): Question | null {
    return this.#current;
  }

  /** Resolves to the answer; a question that is still open is answered with no. */
  ask(question: Question): Promise<boolean> {
    this.#answer?.(false);
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#current = question;
    });
  }

  answer(yes: boolean): void {
    this.#current = null;
    this.#answer?.(yes);
    this.#answer = null;
  }
}

export const questions = new Questions();
