// Light or dark: as the system has it, or as the person chose. The style sheet does the rest (`data-theme`).

import { forget, recall, remember } from "./storage";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "imagelotse.theme";

class Appearance {
  #current = $state<Theme>("system");

  get current(): Theme {
    return this.#current;
  }

  init(): void {
    const remembered = recall(KEY);
    this.#show(THEMES.find((theme) => theme === remembered) ?? "system");
  }

  choose(theme: Theme): void {
    if (theme === "system") forget(KEY);
    else remember(KEY, theme);
    this.#show(theme);
  }

  #show(theme: Theme): void {
    this.#current = theme;
    if (theme === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme);
  }
}

export const appearance = new Appearance();
