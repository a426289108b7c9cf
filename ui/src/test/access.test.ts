// Keyboard, language, appearance, and axe-core over every state in both languages. Colours are measured in
// rules.test.ts, since jsdom computes none.

import { screen, waitFor, within } from "@testing-library/svelte";
import axe from "axe-core";
import { describe, expect, test } from "vitest";

import { PRACTICE, objectStorage, storage } from "../lib/backend/fake-connections";
import { stagingObject } from "../lib/backend/fake-staging";
import { image, upload } from "../lib/backend/fake-data";
import type { Locale } from "../lib/locale.svelte";
import { openReport, openWindow, type OpenWindow } from "./window";

test("the whole journey goes without a mouse", async () => {
  const { backend, user } = await openReport();
  const reach = async (testId: string): Promise<void> => {
    for (let steps = 0; steps < 60; steps += 1) {
      if ((document.activeElement as HTMLElement | null)?.dataset["testid"] === testId) return;
      await user.tab();
    }
    throw new Error(`${testId} cannot be reached with Tab`);
  };
  for (const testId of ["nav-images", "transfers-button", "choose-file", "details-name", "details-tags"]) {
    await reach(testId);
  }
  await user.keyboard("web{Enter}");
  await reach("upload-button");
  await user.keyboard("{Enter}");
  const sent = await screen.findByTestId("sent-file");
  expect(sent.contains(document.activeElement), "the focus goes on where the form was").toBe(true);
  expect(backend.requests[0]?.details.tags).toEqual(["web"]);
});

test("Esc closes the panel and gives the focus back", async () => {
  const { user } = await openWindow({ uploads: [upload({})] });
  const button = screen.getByTestId("transfers-button");
  await user.click(button);
  await waitFor(() => expect(document.activeElement?.textContent).toBe("Uploads"));
  await user.keyboard("{Escape}");
  expect(screen.getByTestId("transfers-panel").hidden).toBe(true);
  expect(document.activeElement).toBe(button);
});

test("an open question is answered with no by Esc, and the panel below it stays", async () => {
  const { user } = await openWindow({ uploads: [upload({})] });
  await user.click(screen.getByTestId("transfers-button"));
  await user.click(await screen.findByTestId("cancel-upload"));
  await screen.findByTestId("question-no");
  await user.keyboard("{Escape}");
  screen.getByTestId("question").dispatchEvent(new Event("cancel", { cancelable: true }));
  await waitFor(() => expect(screen.queryByTestId("question-no")).toBeNull());
  expect(screen.getByTestId("transfers-panel").hidden).toBe(false);
  expect(screen.getByTestId("upload-row").dataset["state"]).toBe("uploading");
});

test("results are announced politely", async () => {
  await openReport();
  const voice = screen.getByRole("status");
  await waitFor(() => expect(voice.textContent).toContain("debian-12.qcow2: "));
});

test("the language changes at once, keeps what was typed and is remembered", async () => {
  const { user } = await openReport();
  await user.type(screen.getByTestId("details-notes"), "stays");
  await user.click(screen.getByTestId("language-switch"));
  expect(document.documentElement.lang).toBe("de");
  expect(screen.getByTestId("nav-check").textContent).toContain("Prüfen und hochladen");
  expect(screen.getByTestId("fact-size").textContent?.replaceAll("\u00a0", " ")).toBe("1,5 GB (1,4 GiB)");
  expect(screen.getByTestId<HTMLTextAreaElement>("details-notes").value).toBe("stays");
  expect(localStorage.getItem("imagelotse.language")).toBe("de");
});

test("the system's language is taken at the first start", async () => {
  await openWindow({}, "de");
  expect(screen.getByTestId("choose-file").textContent).toContain("Datei auswählen");
});

test("light, dark and the system's own can be chosen and are remembered", async () => {
  const { user } = await openWindow();
  await user.click(screen.getByTestId("theme-dark"));
  expect(document.documentElement.dataset["theme"]).toBe("dark");
  expect(localStorage.getItem("imagelotse.theme")).toBe("dark");
  await user.click(screen.getByTestId("theme-system"));
  expect(document.documentElement.dataset["theme"]).toBeUndefined();
});

const PANELLED = objectStorage({ storage: storage({ panel: "https://panel.example/" }) });
const STAGED = [
  upload({ id: "over", connection: "shop", state: "staged" }),
  upload({
    id: "public",
    connection: "shop",
    state: "staged",
    source_name: "other.img",
    details: { ...upload({}).details, tags: ["web"], notes: "x" },
    published: "2026-11-20T09:41:00Z",
    public_until: "2026-11-20T09:42:00Z",
  }),
];

const STATES: Record<string, (locale: Locale) => Promise<OpenWindow | void>> = {
  start: (locale) => openWindow({}, locale),
  dragging: async (locale) => {
    const { backend } = await openWindow({}, locale);
    backend.drag(true);
    await screen.findByTestId("drag-overlay");
  },
  "reports and errors": async (locale) => {
    const { backend } = await openWindow({}, locale);
    backend.drop(["/a/debian.qcow2", "/a/empty.img", "/a/old-server.img", "/a/other.vhdx"]);
    await waitFor(() => expect(screen.queryAllByTestId("verdict")).toHaveLength(3));
    for (const part of document.querySelectorAll<HTMLElement>("[id$=-body]")) part.hidden = false;
    for (const part of document.querySelectorAll("details")) part.open = true;
    for (const fold of document.querySelectorAll<HTMLElement>("[aria-expanded=false]")) fold.click();
  },
  "a form with problems": async (locale) => {
    const { backend, user } = await openWindow({}, locale);
    backend.drop(["/a/debian.qcow2"]);
    await user.type(await screen.findByTestId("details-tags"), "ok{Enter}not ok/");
    await user.clear(screen.getByTestId("details-name"));
  },
  uploads: async (locale) => {
    const all = [
      "queued",
      "checking",
      "uploading",
      "paused",
      "waiting_for_network",
      "waiting_for_sign_in",
      "verifying",
      "importing",
      "staged",
      "done",
      "failed",
      "cancelled",
      "interrupted",
    ] as const;
    const uploads = all.map((state) =>
      upload({
        id: state,
        state,
        starts_at: state === "queued" ? "2026-11-20T22:00:00" : null,
        error: state === "failed" ? { code: "x", params: {}, retryable: true } : null,
      }),
    );
    const { user } = await openWindow({ uploads }, locale);
    await user.click(screen.getByTestId("transfers-button"));
    await screen.findAllByTestId("upload-row");
    await user.click(screen.getByTestId("open-upload-settings"));
    await user.click(await screen.findByTestId("settings-limit"));
    await user.click(screen.getByTestId("settings-hours"));
  },
  "a hand-over": async (locale) => {
    const { user } = await openWindow({ connections: [PRACTICE, PANELLED], uploads: STAGED }, locale);
    await user.click(screen.getByTestId("transfers-button"));
    await user.click((await screen.findAllByTestId("hand-over"))[1]!);
    await screen.findByTestId("handover-url");
    await user.click(screen.getByTestId("check-address"));
    await screen.findByTestId("handover-done");
  },
  "a hand-over that is private, without an address of the panel": async (locale) => {
    const { user } = await openWindow({ connections: [objectStorage()], uploads: STAGED }, locale);
    await user.click((await screen.findAllByTestId("notice-open"))[0]!);
    await screen.findByTestId("publish-again");
  },
  "a hand-over that is over": async (locale) => {
    const { user } = await openWindow({ connections: [objectStorage()], uploads: STAGED }, locale);
    await user.click((await screen.findAllByTestId("notice-open"))[0]!);
    await user.click(await screen.findByTestId("import-finished"));
    await user.click(await screen.findByTestId("question-yes"));
    await screen.findByTestId("handover-end");
  },
  "the form for an object storage": async (locale) => {
    const needs = { code: "secret_needed", params: {}, retryable: false };
    const connections = [PRACTICE, objectStorage({ needs })];
    const { backend, user } = await openWindow({ connections }, locale);
    backend.drop(["/a/debian.qcow2"]);
    await user.selectOptions(await screen.findByTestId("details-connection"), "shop");
    await user.selectOptions(screen.getByTestId("details-region"), "\n other");
    await screen.findByTestId("details-region-name");
    await screen.findByTestId("sending-plan");
  },
  "what stands in object storages": async (locale) => {
    const parts = stagingObject({ size: null, kind: { is: "open_upload", upload_id: "x" }, public: null });
    const error = { code: "s3_timeout", params: {}, retryable: true };
    const staging = { objects: [stagingObject(), parts], unreachable: [{ connection: "shop", error }] };
    const { user } = await openWindow({ connections: [PANELLED], uploads: STAGED, staging }, locale);
    await user.click(screen.getByTestId("nav-images"));
    await screen.findAllByTestId("staging-row");
  },
  "a question": async (locale) => {
    const { user } = await openWindow({ uploads: [upload({})] }, locale);
    await user.click(screen.getByTestId("transfers-button"));
    await user.click(await screen.findByTestId("cancel-upload"));
    await screen.findByTestId("question-no");
  },
  images: async (locale) => {
    const images = [image({ tags: ["web"], notes: "x" }), image({ id: "b", size: null, distribution: null })];
    const { user } = await openWindow({ images }, locale);
    await user.click(screen.getByTestId("nav-images"));
    await screen.findAllByTestId("image-row");
  },
  connections: async (locale) => {
    const needs = { code: "secret_needed", params: { connection: "shop" }, retryable: false };
    const connections = [
      objectStorage(),
      objectStorage({ id: "ask", needs, storage: storage({ secret_in: "ask", panel: "panel.example.com" }) }),
      objectStorage({
        id: "odd",
        storage: null,
        name: "odd",
        regions: [],
        needs: { ...needs, code: "connection_unreadable" },
      }),
    ];
    const { user } = await openWindow({ connections }, locale);
    await user.click(screen.getByTestId("nav-connections"));
    await screen.findAllByTestId("connection");
  },
  "a connection's form with a test that failed": async (locale) => {
    const keychain = { code: "keychain_unavailable", params: { cause: "x" }, retryable: false };
    const { user } = await openWindow({ keychain }, locale);
    await user.click(screen.getByTestId("nav-connections"));
    await user.click(screen.getByTestId("add-connection"));
    await user.click(await screen.findByTestId("secret-in-file"));
    await user.click(screen.getByTestId("read-profiles"));
    await screen.findAllByTestId("profile");
    for (const part of document.querySelectorAll("details")) part.open = true;
    await user.type(screen.getByTestId("connection-endpoint"), "untrusted.example.com");
    await user.type(screen.getByTestId("connection-access-key"), "AKID");
    await user.type(screen.getByTestId("connection-secret"), "x");
    await user.click(screen.getByTestId("new-bucket"));
    await user.click(screen.getByTestId("test-connection"));
    await screen.findByTestId("trial-result");
    await user.click(screen.getByTestId("save-connection"));
  },
  "signing in": async (locale) => {
    const needs = { code: "passphrase_needed", params: { connection: "shop" }, retryable: false };
    const { user } = await openWindow({ connections: [objectStorage({ needs })] }, locale);
    await user.click(screen.getByTestId("label-sign-in"));
    await user.type(
      await within(screen.getByTestId("sign-in-dialog")).findByTestId("sign-in-secret"),
      "{Enter}",
    );
  },
  "no images": async (locale) => {
    const { user } = await openWindow({}, locale);
    await user.click(screen.getByTestId("nav-images"));
    await screen.findByTestId("images-empty");
  },
};

describe.each(["de", "en"] as const)("axe-core finds nothing in %s", (locale) => {
  test.each(Object.keys(STATES))("%s", async (name) => {
    await STATES[name]?.(locale);
    const { violations } = await axe.run(document, { rules: { "color-contrast": { enabled: false } } });
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual(
      [],
    );
  });
});
