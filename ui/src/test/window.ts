// Opens the whole window over a fake backend.

import { render, screen } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";

import App from "../App.svelte";
import { announcer } from "../lib/announcer.svelte";
import { FakeBackend, type FakeOptions } from "../lib/backend/fake";
import { language, type Locale } from "../lib/locale.svelte";
import { appearance } from "../lib/theme.svelte";

export type OpenWindow = { backend: FakeBackend; user: UserEvent };

export async function openWindow(options: FakeOptions = {}, locale: Locale = "en"): Promise<OpenWindow> {
  localStorage.clear();
  language.init([locale]);
  appearance.init();
  announcer.say("");
  document.title = "Imagelotse";
  const user = userEvent.setup();
  const backend = new FakeBackend(options);
  render(App, { backend });
  await screen.findByTestId("connection-label");
  return { backend, user };
}

/** Drops a file and waits for its verdict. */
export async function openReport(
  options: FakeOptions = {},
  path = "/home/me/debian-12.qcow2",
): Promise<OpenWindow> {
  const opened = await openWindow(options);
  opened.backend.drop([path]);
  await screen.findByTestId("verdict");
  return opened;
}
