// The list of uploads: what it shows, and that nothing is taken back without being asked.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { fill, overall, timeLeft } from "../features/transfers/phases";
import { parseLimit } from "../features/transfers/settings.svelte";
import type { Upload } from "../lib/generated/bindings";
import { upload } from "../lib/backend/fake-data";
import { openWindow, type OpenWindow } from "./window";

/** In the queue's order, as the program delivers them. */
const RUNNING = [
  upload({
    id: "one",
    acknowledged: 752_353_280,
    bytes_per_second: 12_400_000,
    time_left: { unit: "minute", count: 1 },
  }),
  upload({ id: "two", state: "queued" }),
];

const NAMED = (id: string, more: Partial<Upload> = {}) =>
  upload({ id, details: { ...RUNNING[0]!.details, name: id }, ...more });

async function openPanel(uploads = RUNNING): Promise<OpenWindow> {
  const opened = await openWindow({ uploads });
  await opened.user.click(screen.getByTestId("transfers-button"));
  await screen.findAllByTestId("upload-row");
  return opened;
}

function states(): (string | undefined)[] {
  return screen.getAllByTestId("upload-row").map((row) => row.dataset["state"]);
}

test("a row tells what was acknowledged, the rate and the time left", async () => {
  await openPanel();
  const row = screen.getAllByTestId("upload-row")[0];
  for (const text of ["752 MB of 1.5 GB", "50%", "12.4 MB/s", "about a minute left"]) {
    expect(row?.textContent).toContain(text);
  }
});

function names(): (string | null)[] {
  return screen.getAllByTestId("upload-row").map((row) => within(row).getByRole("heading").textContent);
}

test("the list stands in the queue's order, before the program has told of a new one too", async () => {
  const { backend, user } = await openPanel([NAMED("first"), NAMED("ended", { state: "done" })]);
  backend.startUpload = (request) => Promise.resolve(upload({ id: "c", details: request.details }));
  backend.drop(["/home/me/newest.img"]);
  await user.click(await screen.findByTestId("upload-button"));
  await screen.findByTestId("sent-file");
  expect(names()).toEqual(["first", "newest", "ended"]);
});

test("what waits can be moved by button and by keyboard, and the focus goes along", async () => {
  const { user } = await openPanel([
    NAMED("running"),
    ...["a", "b", "c"].map((id) => NAMED(id, { state: "queued" })),
  ]);
  await user.click(screen.getByRole("button", { name: "Move c up" }));
  expect(names()).toEqual(["running", "a", "c", "b"]);
  expect(screen.getByTestId("announcer").textContent).toBe("c: now 2 of 3 in the queue");
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Move c up");
  await user.keyboard("{Alt>}{ArrowUp}{/Alt}");
  expect(names()).toEqual(["running", "c", "a", "b"]);
  expect(document.activeElement?.closest("li")?.textContent, "its button is off now").toContain("c");
  await user.keyboard("{Alt>}{ArrowDown}{/Alt}");
  expect(names()).toEqual(["running", "a", "c", "b"]);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Move b down" }).disabled).toBe(true);
  expect(screen.queryByRole("button", { name: "Move running up" }), "what runs has no place").toBeNull();
});

test("one is paused and goes on, and all of them", async () => {
  const { user } = await openPanel();
  await user.click(screen.getAllByTestId("pause-upload")[0]!);
  await waitFor(() => expect(states()).toEqual(["paused", "queued"]));
  expect(screen.getAllByTestId("upload-row")[0]?.textContent).toContain("What has arrived stays");
  await user.click(screen.getByTestId("resume-upload"));
  await waitFor(() => expect(states()).toEqual(["uploading", "queued"]));
  await user.click(screen.getByTestId("pause-all"));
  await waitFor(() => expect(states()).toEqual(["paused", "paused"]));
  expect(screen.queryByTestId("pause-all"), "nothing is left to pause").toBeNull();
  await user.click(screen.getByTestId("resume-all"));
  await waitFor(() => expect(states()).toEqual(["queued", "queued"]));
});

test("what the service makes an image of can no longer be paused", async () => {
  await openPanel([upload({ state: "importing" })]);
  expect(screen.queryByTestId("pause-upload")).toBeNull();
  expect(screen.getByTestId("cancel-upload")).toBeDefined();
});

test("what waits says for what, and can be tried at once", async () => {
  const { user } = await openPanel([
    upload({ id: "a", state: "waiting_for_network", acknowledged: 1 }),
    upload({ id: "b", state: "queued", starts_at: "2026-11-20T22:00:00" }),
  ]);
  const [network, hours] = screen.getAllByTestId("upload-row");
  expect(network?.textContent).toContain("goes on by itself");
  expect(hours?.textContent.replaceAll("\u202f", " ")).toContain("Starts at 10:00 PM");
  await user.click(within(network!).getByRole("button", { name: "Try now" }));
  await waitFor(() => expect(states()[0]).toBe("uploading"));
});

test("a changed file is offered to be sent anew, and not to go on with", async () => {
  const error = { code: "source_changed", params: { path: "/a.img" }, retryable: false };
  const { user } = await openPanel([upload({ state: "failed", acknowledged: 5, error })]);
  expect(screen.queryByTestId("resume-upload")).toBeNull();
  await user.click(screen.getByTestId("restart-upload"));
  await waitFor(() => expect(states()).toEqual(["queued"]));
});

test("a file that was moved can be shown", async () => {
  const error = { code: "source_not_found", params: { path: "/a.img" }, retryable: true };
  const opened = await openWindow({
    uploads: [upload({ state: "failed", error })],
    choice: ["/elsewhere/a.img"],
  });
  await opened.user.click(screen.getByTestId("transfers-button"));
  await opened.user.click(await screen.findByTestId("relocate-upload"));
  await waitFor(() => expect(states()).toEqual(["queued"]));
  expect(screen.getByTestId("upload-row").textContent).toContain("a.img");
});

test("what cancelling left behind is told", async () => {
  const { backend, user } = await openPanel([upload({})]);
  backend.cancelUpload = () =>
    Promise.reject({ code: "cancel_incomplete", params: { cause: "timeout" }, retryable: true });
  await user.click(screen.getByTestId("cancel-upload"));
  await user.click(await screen.findByTestId("question-yes"));
  expect((await screen.findByTestId("error-notice")).textContent).toContain(
    "not everything could be removed",
  );
});

test("speed, hours, how many at once and staying awake are chosen and hold at once", async () => {
  const { backend, user } = await openPanel();
  await user.click(screen.getByTestId("open-upload-settings"));
  await user.click(await screen.findByTestId("settings-limit"));
  const limit = screen.getByTestId<HTMLInputElement>("settings-limit-value");
  expect(limit.value).toBe("2.5");
  await user.clear(limit);
  await user.type(limit, "slow");
  expect(limit.getAttribute("aria-invalid")).toBe("true");
  await user.clear(limit);
  await user.type(limit, "0,75{Tab}");
  await user.click(screen.getByTestId("settings-hours"));
  await user.selectOptions(screen.getByTestId("settings-until"), "05:30");
  await user.selectOptions(screen.getByTestId("settings-at-once"), "3");
  await user.click(screen.getByTestId("settings-awake"));
  expect(await backend.settings()).toEqual({
    at_once: 3,
    bytes_per_second: 750_000,
    hours: { from: "22:00", until: "05:30" },
    keep_awake: false,
    staging_days: 7,
  });
  await user.click(screen.getByTestId("settings-limit"));
  expect((await backend.settings()).bytes_per_second).toBeNull();
});

test("a refused choice is told, and what held before is shown again", async () => {
  const { backend, user } = await openPanel();
  await user.click(screen.getByTestId("open-upload-settings"));
  backend.saveSettings = () =>
    Promise.reject({ code: "settings_not_written", params: { path: "/x", cause: "full" }, retryable: true });
  await user.click(await screen.findByTestId("settings-hours"));
  expect((await screen.findByTestId("error-notice")).textContent).toContain("What held before still holds");
  expect(screen.getByTestId<HTMLInputElement>("settings-hours").checked).toBe(false);
});

test.each([
  ["2.5", 2_500_000],
  [" 1,25 ", 1_250_000],
  ["0.001", 1000],
  ["0.0001", null],
  ["-1", null],
  ["1e9", null],
  ["", null],
])("a limit of %j is %j bytes a second", (text, bytes) => {
  expect(parseLimit(text)).toBe(bytes);
});

test.each([
  [{ unit: "minute", count: 0 } as const, "less than a minute left"],
  [{ unit: "minute", count: 20 } as const, "about 20 minutes left"],
  [{ unit: "hour", count: 1 } as const, "about an hour left"],
  [{ unit: "day", count: 3 } as const, "about 3 days left"],
])("%j reads %s", (time_left, words) => {
  expect(timeLeft(upload({ time_left }))).toBe(words);
});

test("cancelling one asks first and leaves the others alone", async () => {
  const { user } = await openPanel();
  const [cancel] = screen.getAllByTestId("cancel-upload");
  await user.click(cancel!);
  expect(document.activeElement, "the safe answer has the focus").toBe(
    await screen.findByTestId("question-no"),
  );
  await user.click(screen.getByTestId("question-no"));
  expect(states()).toEqual(["uploading", "queued"]);
  await user.click(cancel!);
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(states()).toEqual(["cancelled", "queued"]));
});

test("cancelling all asks once, and says that it takes more than what runs", async () => {
  const { user } = await openPanel([
    ...RUNNING,
    upload({ id: "c", state: "interrupted" }),
    upload({ id: "d", state: "failed" }),
    upload({ id: "e", state: "done" }),
  ]);
  await user.click(screen.getByTestId("cancel-all"));
  const question = await screen.findByTestId("question");
  for (const word of ["interrupted", "failed"]) expect(question.textContent).toContain(word);
  await user.click(screen.getByTestId("question-yes"));
  await waitFor(() => expect(states()).toEqual([...Array<string>(4).fill("cancelled"), "done"]));
  expect(screen.queryByTestId("cancel-all"), "nothing is left to cancel").toBeNull();
});

test("what was interrupted or has failed goes on", async () => {
  const error = { code: "region_unknown", params: { region: "mars" }, retryable: true };
  const { user } = await openPanel([
    upload({ id: "a", state: "interrupted" }),
    upload({ id: "b", state: "failed", error }),
  ]);
  expect(screen.getByTestId("error-notice").textContent).toContain("mars");
  for (const button of screen.getAllByTestId("resume-upload")) await user.click(button);
  await waitFor(() => expect(states()).toEqual(["uploading", "uploading"]));
});

test("what has ended can be taken off the list", async () => {
  const { user } = await openPanel([upload({ state: "done" })]);
  await user.click(screen.getByTestId("forget-upload"));
  await waitFor(() => expect(screen.queryByTestId("upload-row")).toBeNull());
});

test("a refusal is told in the panel", async () => {
  const { backend, user } = await openPanel([upload({ state: "interrupted" })]);
  backend.resumeUpload = () => Promise.reject({ code: "upload_busy_elsewhere", params: {}, retryable: true });
  await user.click(screen.getByTestId("resume-upload"));
  expect((await screen.findByTestId("error-notice")).dataset["code"]).toBe("upload_busy_elsewhere");
});

test("the button in the header counts what is under way", async () => {
  const { backend } = await openPanel();
  const button = screen.getByTestId("transfers-button");
  expect(within(button).getByText("Uploads, 2 running")).toBeDefined();
  backend.setUploads([upload({ state: "done" })]);
  await waitFor(() => expect(within(button).queryByText(/running/)).toBeNull());
});

test("phases are announced, steps within a phase are not", async () => {
  const { backend } = await openPanel([upload({ acknowledged: 1 })]);
  backend.setUploads([upload({ acknowledged: 900_000_000 })]);
  await waitFor(() => expect(screen.getByTestId("upload-row").textContent).toContain("900 MB"));
  expect(screen.getByTestId("announcer").textContent).not.toContain("Sending");
  backend.setUploads([upload({ state: "verifying", acknowledged: 1_504_706_560 })]);
  await waitFor(() => expect(screen.getByTestId("announcer").textContent).toBe("debian-12: Verifying"));
});

test("the bar only goes forward through the phases", () => {
  const total = 1000;
  const way = [
    upload({ state: "queued", total }),
    upload({ state: "checking", total }),
    upload({ state: "uploading", total, acknowledged: 400 }),
    upload({ state: "uploading", total, acknowledged: 1000 }),
    upload({ state: "verifying", total, acknowledged: 1000 }),
    upload({ state: "importing", total, acknowledged: 1000 }),
    upload({ state: "done", total, acknowledged: 1000 }),
  ].map(overall);
  expect(way).toEqual([...way].sort((one, other) => one - other));
  expect(way.at(0)).toBe(0);
  expect(way.at(-1)).toBeCloseTo(1);
});

test("numbers that make no sense do no harm", () => {
  expect(fill(upload({ acknowledged: 5, total: 0 }), "uploading")).toBe(0);
  expect(fill(upload({ acknowledged: 9, total: 3 }), "uploading")).toBe(1);
  expect(timeLeft(upload({ bytes_per_second: 0 }))).toBeNull();
});
