// The hand-over: it comes by itself but never between what a person does, every field can be copied, and nothing is
// taken away without being asked.

import { screen, waitFor, within } from "@testing-library/svelte";
import { tick } from "svelte";
import { expect, test, vi } from "vitest";

import { objectStorage, PRACTICE, storage } from "../lib/backend/fake-connections";
import { upload } from "../lib/backend/fake-data";
import type { Upload } from "../lib/generated/bindings";
import { openWindow, type OpenWindow } from "./window";

const HOUR = 3_600_000;
const PANEL = "https://panel.example/";
const SHOP = objectStorage({ storage: storage({ panel: PANEL }) });
const DETAILS = {
  name: "Web server",
  distribution: "debian",
  region: "",
  tags: ["web", "db"],
  notes: "Ask Jana\nbefore",
} as const;

const later = (hours: number): string => new Date(Date.now() + hours * HOUR).toISOString();

function staged(more: Partial<Upload> = {}): Upload {
  return upload({
    id: "u1",
    connection: "shop",
    state: "staged",
    acknowledged: 1_504_706_560,
    details: { ...DETAILS, tags: [...DETAILS.tags] },
    published: "2026-11-20T09:41:00Z",
    public_until: later(100),
    ...more,
  });
}

const open = (uploads: Upload[], more = {}): Promise<OpenWindow> =>
  openWindow({ connections: [PRACTICE, SHOP], uploads, ...more });

async function openPage(more: Partial<Upload> = {}): Promise<OpenWindow> {
  const opened = await open([staged(more)]);
  await opened.user.click(screen.getByTestId("transfers-button"));
  await opened.user.click(await screen.findByTestId("hand-over"));
  await screen.findByTestId("handover-url");
  return opened;
}

/** Lets the program tell that the sending of `u1` has come to its end. */
async function finishSending({ backend }: OpenWindow): Promise<void> {
  backend.setUploads([staged()]);
  await waitFor(() =>
    expect(screen.getByTestId("transfers-button").textContent).toContain("1 ready to import"),
  );
}

test("a finished sending brings the page up by itself, and the focus to it", async () => {
  const opened = await open([staged({ state: "verifying", published: null })]);
  await finishSending(opened);
  const page = await screen.findByTestId("handover");
  await waitFor(() => expect(document.activeElement).toBe(within(page).getByRole("heading", { level: 1 })));
  expect(screen.queryByTestId("handover-notice"), "the page tells it").toBeNull();
});

test("whoever writes is not disturbed: a notice leads to the page", async () => {
  const opened = await open([staged({ state: "verifying", published: null })]);
  opened.backend.drop(["/home/me/other-file.img"]);
  const notes = await screen.findByTestId("details-notes");
  await opened.user.type(notes, "half a sen");
  await finishSending(opened);
  const notice = await screen.findByTestId("handover-notice");
  expect(notice.textContent).toContain("“Web server” is ready to import.");
  expect(screen.queryByTestId("handover")).toBeNull();
  expect(document.activeElement, "the focus stays").toBe(notes);
  await opened.user.click(within(notice).getByTestId("notice-open"));
  await screen.findByTestId("handover");
  await opened.user.click(screen.getByTestId("handover-close"));
  expect(screen.getByTestId<HTMLTextAreaElement>("details-notes").value).toBe("half a sen");
  expect(screen.queryByTestId("handover-notice"), "it was seen").toBeNull();
});

test("an open question is not covered, nor a page that somebody works with", async () => {
  const opened = await openPage({ id: "u0", details: { ...staged().details, name: "First" } });
  const first = staged({ id: "u0", details: { ...staged().details, name: "First" } });
  opened.backend.setUploads([first, staged({ state: "verifying" })]);
  opened.backend.setUploads([first, staged()]);
  await screen.findByTestId("handover-notice");
  expect(screen.getByRole("heading", { level: 1 }).textContent).toContain("First");
});

test("it comes once: who leaves the page is not led back", async () => {
  const opened = await open([staged({ state: "verifying", published: null })]);
  await finishSending(opened);
  await screen.findByTestId("handover");
  await opened.user.click(screen.getByTestId("nav-check"));
  expect(screen.queryByTestId("handover")).toBeNull();
  opened.backend.setUploads([staged()]);
  await Promise.resolve();
  expect(screen.queryByTestId("handover")).toBeNull();
});

test("every field stands in the panel's order and can be copied whole", async () => {
  const { backend, user } = await openPage();
  const entries = within(screen.getByTestId("handover")).getAllByTestId(
    /^handover-(url|name|distr|reg|tags|notes)/,
  );
  expect(entries.map(({ dataset }) => dataset["testid"])).toEqual([
    "handover-url",
    "handover-name",
    "handover-distribution",
    "handover-region",
    "handover-tags",
    "handover-notes",
  ]);
  const url = (await backend.handOver("u1")).url;
  expect(entries[0]?.textContent, "not shortened").toContain(url);
  expect(url).toMatch(/\.qcow2$/);
  for (const name of [
    "Copy Import URL",
    "Copy Name",
    "Copy Distribution",
    "Copy tag web",
    "Copy tag db",
    "Copy Notes",
  ]) {
    await user.click(screen.getByRole("button", { name }));
  }
  expect(backend.copied).toEqual([url, "Web server", "Debian", "web", "db", "Ask Jana\nbefore"]);
  expect(screen.getByTestId("copy-url").textContent).toContain("Copied");
  expect(screen.getByTestId("announcer").textContent).toContain("Copied");
  const region = screen.getByTestId("handover-region");
  expect(region.textContent).toContain("Choose in the panel");
  expect(within(region).queryByRole("button"), "there is nothing to copy").toBeNull();
});

test("the panel is opened at the connection's address, which the page does not name itself", async () => {
  const { backend, user } = await openPage();
  await user.click(screen.getByTestId("open-panel"));
  expect(backend.panels).toEqual(["shop"]);
});

test("without an address of the panel the page says where to note it", async () => {
  const opened = await openWindow({ connections: [PRACTICE, objectStorage()], uploads: [staged()] });
  await opened.user.click(screen.getByTestId("transfers-button"));
  await opened.user.click(await screen.findByTestId("hand-over"));
  await screen.findByTestId("no-panel");
  expect(screen.queryByTestId("open-panel")).toBeNull();
});

test("the import has finished: asked once, then cleaned up", async () => {
  const { backend, user } = await openPage();
  await user.click(screen.getByTestId("import-finished"));
  const question = await screen.findByTestId("question");
  expect(question.textContent).toContain("The image in ccloud³ stays");
  await user.click(screen.getByTestId("question-no"));
  expect((await backend.uploads())[0]?.state).toBe("staged");
  await user.click(screen.getByTestId("import-finished"));
  await user.click(await screen.findByTestId("question-yes"));
  const end = await screen.findByTestId("handover-end");
  expect(end.textContent).toContain("cleaned up");
  expect((await backend.staging()).objects).toEqual([]);
  await user.click(screen.getByTestId("handover-leave"));
  expect(screen.queryByTestId("handover")).toBeNull();
  await waitFor(() => expect(document.activeElement?.id, "the focus is not lost").toBe("main"));
});

test("what keeps it from being cleaned up is told, and the page stays", async () => {
  const { backend, user } = await openPage();
  backend.importFinished = () =>
    Promise.reject({ code: "s3_unreachable", params: { host: "s3.example.com" }, retryable: true });
  await user.click(screen.getByTestId("import-finished"));
  await user.click(await screen.findByTestId("question-yes"));
  expect((await screen.findByTestId("error-notice")).dataset["code"]).toBe("s3_unreachable");
  expect(screen.getByTestId("handover-url")).toBeDefined();
});

test("by mail instead", async () => {
  const { backend, user } = await openPage();
  expect(screen.getByTestId("handover").textContent).toContain("within 24 hours");
  await user.click(screen.getByTestId("mail-handover"));
  expect(backend.mailedHandOvers).toEqual(["u1"]);
  expect((await screen.findByTestId("handover-done")).textContent).toContain("sent only when you send it");
});

test("after a failed import the address can be checked again", async () => {
  const { backend, user } = await openPage();
  await user.click(screen.getByTestId("check-address"));
  expect((await screen.findByTestId("handover-done")).textContent).toContain("answers as ccloud³ needs it");
  backend.publishAgain = () =>
    Promise.reject({ code: "s3_not_public", params: { status: "403" }, retryable: false });
  await user.click(screen.getByTestId("check-address"));
  expect((await screen.findByTestId("error-notice")).dataset["code"]).toBe("s3_not_public");
  expect(screen.queryByTestId("handover-done"), "the good news is old").toBeNull();
});

test("an answer that comes when another page is open does not change that one", async () => {
  const other = staged({ id: "u2", details: { ...staged().details, name: "Second" } });
  const opened = await open([staged(), other]);
  const { backend, user } = opened;
  const url = async (id: string): Promise<string> => (await backend.handOver(id)).url;
  let answer = (): void => undefined;
  const first = await backend.handOver("u1");
  backend.publishAgain = () =>
    new Promise(
      (resolve) => (answer = () => resolve({ ...first, url: "https://s3.example.com/first.qcow2" })),
    );
  await user.click(screen.getByTestId("transfers-button"));
  await user.click((await screen.findAllByTestId("hand-over"))[0]!);
  await screen.findByTestId("handover-url");
  await user.click(screen.getByTestId("check-address"));
  await user.click(screen.getByTestId("transfers-button"));
  await user.click((await screen.findAllByTestId("hand-over"))[1]!);
  await waitFor(() => expect(screen.getByRole("heading", { level: 1 }).textContent).toContain("Second"));
  await screen.findByTestId("handover-url");
  answer();
  await waitFor(() => expect(screen.getByTestId<HTMLButtonElement>("check-address").disabled).toBe(false));
  expect(screen.getByTestId("handover-url").textContent).toContain(await url("u2"));
});

test("why something did not happen stays told while others are sent, and is tried again itself", async () => {
  const { backend, user } = await openPage();
  const error = { code: "s3_unreachable", params: { host: "s3.example.com" }, retryable: true };
  let tries = 0;
  backend.publishAgain = () => {
    tries += 1;
    return Promise.reject(error);
  };
  await user.click(screen.getByTestId("check-address"));
  const notice = await screen.findByTestId("error-notice");
  const card = screen.getByTestId("check-address").closest("section");
  expect(card?.contains(notice), "beside the button that was pressed").toBe(true);
  expect(screen.getByTestId("announcer").textContent).toContain("cannot be reached");
  const asked = vi.spyOn(backend, "handOver");
  for (const acknowledged of [1, 2, 3]) {
    backend.setUploads([staged(), upload({ id: "u2", state: "uploading", acknowledged })]);
    await tick();
  }
  expect(asked, "nothing about this page has moved").not.toHaveBeenCalled();
  await user.click(within(screen.getByTestId("error-notice")).getByRole("button"));
  await waitFor(() => expect(tries).toBe(2));
  expect((await screen.findByTestId("error-notice")).dataset["code"]).toBe("s3_unreachable");
});

test("why a private file was not removed is told on the page", async () => {
  const { backend, user } = await openPage({ published: null, public_until: null });
  backend.cancelUpload = () =>
    Promise.reject({ code: "s3_unreachable", params: { host: "s3.example.com" }, retryable: true });
  await user.click(screen.getByTestId("remove-staged"));
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() =>
    expect(within(screen.getByTestId("address-state")).getByTestId("error-notice")).toBeDefined(),
  );
});

test("when its time is over it is private: publish again or remove", async () => {
  const { backend, user } = await openPage({ published: null, public_until: null });
  const state = screen.getByTestId("address-state");
  expect(state.dataset["reach"]).toBe("private");
  await user.click(within(state).getByTestId("remove-staged"));
  expect((await screen.findByTestId("question")).textContent).toContain("removed from the object storage");
  await user.click(screen.getByTestId("question-no"));
  await user.click(within(state).getByTestId("publish-again"));
  await waitFor(() => expect(screen.getByTestId("address-state").dataset["reach"]).toBe("open"));
  expect((await backend.uploads())[0]?.published).not.toBeNull();
});

test.each([
  ["nearly_over", { public_until: later(5) }, "can be imported only until"],
  ["private", { published: null, public_until: null }, "cannot be imported like this"],
] as const)("a notice tells that its time is %s, also after a start", async (about, more, words) => {
  const { user } = await open([staged(more)]);
  const notice = await screen.findByTestId("handover-notice");
  expect(notice.dataset["about"]).toBe(about);
  expect(notice.textContent).toContain(words);
  expect(screen.queryByTestId("handover"), "an earlier sending brings no page up").toBeNull();
  await user.click(within(notice).getByTestId("notice-dismiss"));
  expect(screen.queryByTestId("handover-notice")).toBeNull();
});

test("the notice comes when its time comes, while the window is open", async () => {
  // The window's clock is the only interval that it sets; what the test waits with stays real.
  const looks: (() => void)[] = [];
  vi.spyOn(globalThis, "setInterval").mockImplementationOnce((look) => {
    looks.push(look as () => void);
    return 0 as never;
  });
  await open([staged({ public_until: later(25) })]);
  expect(screen.queryByTestId("handover-notice")).toBeNull();
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 2 * HOUR);
  looks.forEach((look) => look());
  await tick();
  expect(screen.getByTestId("handover-notice").dataset["about"]).toBe("nearly_over");
});

test("the row of a staged upload offers the hand-over first, and removing asks", async () => {
  const { user } = await open([staged()]);
  await user.click(screen.getByTestId("transfers-button"));
  const row = await screen.findByTestId("upload-row");
  expect(row.textContent).toContain("Ready to import");
  expect(row.textContent).toContain("debian-12.qcow2 to Storage of the shop");
  expect(within(row).getByTestId("hand-over").className).toContain("primary");
  expect(within(row).queryByTestId("pause-upload")).toBeNull();
  expect(within(row).queryByTestId("resume-upload")).toBeNull();
  await user.click(within(row).getByTestId("cancel-upload"));
  expect((await screen.findByTestId("question")).textContent).toContain("import that is still running");
  await user.click(screen.getByTestId("question-yes"));
  await waitFor(() => expect(screen.getByTestId("upload-row").dataset["state"]).toBe("cancelled"));
});

test("what is private is not called ready to import", async () => {
  const { user } = await open([staged({ published: null, public_until: null })]);
  expect(screen.getByTestId("transfers-button").textContent).not.toContain("ready to import");
  await user.click(screen.getByTestId("transfers-button"));
  const row = await screen.findByTestId("upload-row");
  expect(row.textContent).toContain("Not public");
  expect(row.textContent).not.toContain("Ready to import");
});

test("of a connection that is gone, only what is known is told", async () => {
  const { user } = await openWindow({ connections: [PRACTICE], uploads: [staged({ state: "done" })] });
  await user.click(screen.getByTestId("transfers-button"));
  const row = await screen.findByTestId("upload-row");
  expect(row.querySelector(".source")?.textContent.trim()).toBe("debian-12.qcow2");
});

test("an upload that waits for a secret leads to the sign-in", async () => {
  const error = { code: "secret_needed", params: {}, retryable: true };
  const needs = { code: "secret_needed", params: {}, retryable: false };
  const { user } = await openWindow({
    connections: [PRACTICE, objectStorage({ needs })],
    uploads: [staged({ state: "waiting_for_sign_in", error })],
  });
  await user.click(screen.getByTestId("transfers-button"));
  await user.click(await screen.findByTestId("upload-sign-in"));
  await screen.findByTestId("sign-in-dialog");
});

test("a page whose connection lacks its secret leads to the sign-in, and still shows every field", async () => {
  const needs = { code: "secret_needed", params: {}, retryable: false };
  const { user } = await openWindow({
    connections: [PRACTICE, objectStorage({ needs })],
    uploads: [staged()],
  });
  await user.click(screen.getByTestId("transfers-button"));
  await user.click(await screen.findByTestId("hand-over"));
  await screen.findByTestId("handover-url");
  await user.click(screen.getByTestId("handover-sign-in"));
  await screen.findByTestId("sign-in-dialog");
});

test("a file that was sent to an object storage is told as that from drop to done", async () => {
  const opened = await open([]);
  const { backend, user } = opened;
  backend.drop(["/home/me/debian-12.qcow2"]);
  await user.selectOptions(await screen.findByTestId("details-connection"), "shop");
  await user.click(screen.getByTestId("upload-button"));
  await screen.findByTestId("sent-file");
  while (backend.advance("upload-1"));
  await screen.findByTestId("handover");
  await user.click(screen.getByTestId("handover-close"));
  await user.click(await screen.findByTestId("sent-hand-over"));
  await user.click(await screen.findByTestId("import-finished"));
  await user.click(await screen.findByTestId("question-yes"));
  await user.click(await screen.findByTestId("handover-leave"));
  const sent = screen.getByTestId("sent-file");
  expect(sent.textContent).toContain("the image is in ccloud³");
  expect(screen.queryByTestId("show-images"), "ccloud³'s panel shows them").toBeNull();
});
