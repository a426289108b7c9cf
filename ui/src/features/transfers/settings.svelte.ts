// What was chosen for all uploads. Each change is saved at once; a refused one leaves what held before.

import { announcer } from "../../lib/announcer.svelte";
import { asApiError, type Backend } from "../../lib/backend/backend";
import type { ApiError, Settings } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";

/** Bytes in the unit in which the limit is shown. */
const MB = 1_000_000;
/** The slowest limit that the program takes, in bytes a second. */
const SLOWEST = 1000;

/** A speed in MB a second as a person writes it, with a comma or a point; null for what is none. */
export function parseLimit(text: string): number | null {
  const written = text.trim().replace(",", ".");
  if (!/^\d+(\.\d+)?$/.test(written)) return null;
  const bytes = Math.round(Number(written) * MB);
  return bytes >= SLOWEST && Number.isSafeInteger(bytes) ? bytes : null;
}

export function limitProblem(text: string): ApiError | null {
  return parseLimit(text) === null ? { code: "limit_no_number", params: {}, retryable: false } : null;
}

/** The fewest and the most days for which a staged file may be public. */
const STAGING_DAYS = { least: 1, most: 90 };

/** A number of days as a person writes it; null for what is none, or out of what the program takes. */
export function parseDays(text: string): number | null {
  const days = /^\d{1,3}$/.test(text.trim()) ? Number(text) : NaN;
  return days >= STAGING_DAYS.least && days <= STAGING_DAYS.most ? days : null;
}

export function daysProblem(text: string): ApiError | null {
  const params = { least: String(STAGING_DAYS.least), most: String(STAGING_DAYS.most) };
  return parseDays(text) === null ? { code: "staging_days_out_of_range", params, retryable: false } : null;
}

/** The same as text, in the person's language. */
export function limitText(bytesPerSecond: number, locale: string): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 3, useGrouping: false }).format(
    bytesPerSecond / MB,
  );
}

/** Times of day in steps of half an hour, with those that are chosen already. */
export function timesOfDay(...chosen: string[]): string[] {
  const steps = Array.from({ length: 48 }, (_, index) => {
    const hour = String(Math.floor(index / 2)).padStart(2, "0");
    return `${hour}:${index % 2 === 0 ? "00" : "30"}`;
  });
  return [...new Set([...steps, ...chosen])].sort();
}

export class UploadSettings {
  #backend: Backend;
  #current = $state.raw<Settings | null>(null);
  #error = $state.raw<ApiError | null>(null);

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get current(): Settings | null {
    return this.#current;
  }

  get error(): ApiError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    this.#error = null;
    try {
      this.#current = await this.#backend.settings();
    } catch (reason) {
      this.#error = asApiError(reason);
    }
  }

  async choose(change: Partial<Settings>): Promise<void> {
    if (!this.#current) return;
    const before = this.#current;
    const wanted = { ...before, ...change };
    this.#error = null;
    this.#current = wanted;
    try {
      await this.#backend.saveSettings(wanted);
      announcer.say(m.ui_settings_saved());
    } catch (reason) {
      this.#error = asApiError(reason);
      this.#current = before;
    }
  }
}
