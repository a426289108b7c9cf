// One test of a connection after the other: the steps as they come in, and what they were tried with.

import { asApiError, type Backend } from "../../lib/backend/backend";
import type { ApiError, ConnectionDraft, TestStep, TestStepKind } from "../../lib/generated/bindings";

/** In the order in which one needs the other. */
export const TEST_STEPS: readonly TestStepKind[] = [
  "name",
  "reach",
  "clock",
  "sign_in",
  "bucket",
  "write",
  "public_read",
  "delete",
];

export type StepMark = "waiting" | "running" | "passed" | "warned" | "failed" | "skipped";

export type TrialResult = "passed" | "warned" | "failed";

export class Trial {
  #backend: Backend;
  #steps = $state.raw<TestStep[]>([]);
  #running = $state(false);
  #result = $state<TrialResult | null>(null);
  #tried = $state<string | null>(null);
  #bucket = $state("");

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Those that have ended, in their order. */
  get steps(): readonly TestStep[] {
    return this.#steps;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Null until a test has ended. */
  get result(): TrialResult | null {
    return this.#result;
  }

  /** What the last test was about; see `ConnectionForm.tried`. */
  get tried(): string | null {
    return this.#tried;
  }

  /** Name of the bucket that the last test was about. */
  get bucket(): string {
    return this.#bucket;
  }

  step(kind: TestStepKind): TestStep | null {
    return this.#steps.find((one) => one.kind === kind) ?? null;
  }

  mark(kind: TestStepKind): StepMark {
    const ended = this.step(kind);
    if (ended) return ended.outcome.result;
    return this.#running && TEST_STEPS[this.#steps.length] === kind ? "running" : "waiting";
  }

  /** Answers with why it could not even begin, or null. */
  async run(draft: ConnectionDraft, tried: string): Promise<ApiError | null> {
    this.#steps = [];
    this.#result = null;
    this.#running = true;
    this.#tried = tried;
    this.#bucket = draft.storage.bucket;
    try {
      this.#steps = await this.#backend.testConnection(draft, (step) => {
        if (this.#running) this.#steps = [...this.#steps, step];
      });
      this.#result = resultOf(this.#steps);
      return null;
    } catch (reason) {
      this.#tried = null;
      this.#steps = [];
      return asApiError(reason);
    } finally {
      this.#running = false;
    }
  }
}

function resultOf(steps: readonly TestStep[]): TrialResult {
  const results = steps.map(({ outcome }) => outcome.result);
  if (results.includes("failed")) return "failed";
  return results.includes("warned") ? "warned" : "passed";
}
