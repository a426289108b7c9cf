// The list of uploads: what it shows, and that nothing is taken back without being asked.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { fill, overall, secondsLeft } from "../features/transfers/phases";
import { upload } from "../lib/backend/fake-data";
import { openWindow, type OpenWindow } from "./window";

/** The latest first, as the program delivers them. */
const RUNNING = [
  upload({ id: "two", state: "queued" }),
  upload({ id: "one", acknowledged: 752_353_280, bytes_per_second: 12_400_000 }),
];

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
  const row = screen.getAllByTestId("upload-row")[1];
  for (const text of ["752 MB of 1.5 GB", "50%", "12.4 MB/s", "about 1 minute left"]) {
    expect(row?.textContent).toContain(text);
  }
});

test("the latest upload is on top, in the program's order and before the program has told of it", async () => {
  const { backend, user } = await openPanel([
    upload({ id: "b", details: { ...RUNNING[0]!.details, name: "newer" } }),
    upload({ id: "a", details: { ...RUNNING[0]!.details, name: "older" } }),
  ]);
  const names = () =>
    screen.getAllByTestId("upload-row").map((row) => within(row).getByRole("heading").textContent);
  expect(names()).toEqual(["newer", "older"]);
  backend.startUpload = (request) => Promise.resolve(upload({ id: "c", details: request.details }));
  backend.drop(["/home/me/newest.img"]);
  await user.click(await screen.findByTestId("upload-button"));
  await screen.findByTestId("sent-file");
  expect(names()).toEqual(["newest", "newer", "older"]);
});

test("cancelling one asks first and leaves the others alone", async () => {
  const { user } = await openPanel();
  const [cancel] = screen.getAllByTestId("cancel-upload");
  await user.click(cancel!);
  expect(document.activeElement, "the safe answer has the focus").toBe(
    await screen.findByTestId("question-no"),
  );
  await user.click(screen.getByTestId("question-no"));
  expect(states()).toEqual(["queued", "uploading"]);
  await user.click(cancel!);
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(states()).toEqual(["cancelled", "uploading"]));
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
  expect(secondsLeft(upload({ bytes_per_second: 0 }))).toBeNull();
  expect(secondsLeft(upload({ acknowledged: 9, total: 3, bytes_per_second: 1 }))).toBeNull();
});
