import { mount } from "svelte";

import "./app.css";
import App from "./App.svelte";
import { openBackend } from "./lib/backend";
import { language } from "./lib/locale.svelte";
import { appearance } from "./lib/theme.svelte";

const target = document.getElementById("app");
if (target) {
  const backend = await openBackend();
  language.init(backend.languages());
  appearance.init();
  mount(App, { target, props: { backend } });
}
