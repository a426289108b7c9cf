// The window's language: the system's at first, then what the person chose. Texts follow at once, without a reload.

import { baseLocale, isLocale, locales, overwriteGetLocale, type Locale } from "./paraglide/runtime.js";
import { recall, remember } from "./storage";

const KEY = "imagelotse.language";

class Language {
  #current = $state<Locale>(baseLocale);

  constructor() {
    overwriteGetLocale(() => this.#current);
  }

  get current(): Locale {
    return this.#current;
  }

  /** Takes the remembered language, else the first of the system's that there is a catalogue for. */
  init(preferred: readonly string[]): void {
    const remembered = recall(KEY);
    const known = [remembered ?? "", ...preferred].map((tag) => tag.toLowerCase().split("-")[0] ?? "");
    this.#show(known.find(isLocale) ?? baseLocale);
  }

  choose(locale: Locale): void {
    remember(KEY, locale);
    this.#show(locale);
  }

  #show(locale: Locale): void {
    this.#current = locale;
    document.documentElement.lang = locale;
  }
}

export const language = new Language();
export { locales, type Locale };

/** Each language's own name for itself. */
export const LANGUAGE_NAMES: Record<Locale, string> = { de: "Deutsch", en: "English" };
