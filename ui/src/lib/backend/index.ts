// Chooses what stands behind the window: the program itself, or outside of it (`npm run dev` in a browser) the fake.

import type { Backend } from "./backend";

export async function openBackend(): Promise<Backend> {
  const fake = import.meta.env.MODE === "fake" || (import.meta.env.DEV && !("__TAURI_INTERNALS__" in window));
  if (fake) {
    const { FakeBackend } = await import("./fake");
    return FakeBackend.inBrowser();
  }
  const { tauriBackend } = await import("./tauri");
  return tauriBackend;
}
