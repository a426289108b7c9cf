// The form tells what is wrong where it is wrong, and sends nothing until it is right.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { nameProblem, notesProblem, tagProblem, tagsProblem, withTag } from "../features/details/validate";
import { checkByName } from "../lib/backend/fake-data";
import type { CheckedFile } from "../lib/generated/bindings";
import { openReport, openWindow, type OpenWindow } from "./window";

const PATH = "/home/me/debian-12.qcow2";

async function fillIn({ user }: OpenWindow): Promise<void> {
  const name = screen.getByTestId("details-name");
  await user.clear(name);
  await user.type(name, "Web server");
  await user.selectOptions(screen.getByTestId("details-distribution"), "fedora");
  await user.selectOptions(screen.getByTestId("details-region"), "practice-south");
  await user.type(screen.getByTestId("details-notes"), "Ask Jana");
  await user.type(screen.getByTestId("details-tags"), "web{Enter}half");
}

async function expectFilledIn({ backend, user }: OpenWindow): Promise<void> {
  await screen.findByTestId("verdict");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests[0]?.details).toEqual({
    name: "Web server",
    distribution: "fedora",
    region: "practice-south",
    tags: ["web", "half"],
    notes: "Ask Jana",
  });
}

/** Every check is answered by hand. */
async function openUnanswered(): Promise<
  OpenWindow & { answer: (more?: Partial<CheckedFile>) => Promise<void> }
> {
  const waiting: (() => void)[] = [];
  let more: Partial<CheckedFile> = {};
  const check = async (path: string): Promise<CheckedFile> => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { ...checkByName(path), ...more };
  };
  const opened = await openWindow({ check });
  const answer = async (changed: Partial<CheckedFile> = {}): Promise<void> => {
    await waitFor(() => expect(waiting).not.toHaveLength(0));
    more = changed;
    waiting.splice(0).forEach((resolve) => resolve());
  };
  return { ...opened, answer };
}

test.each(["checked again", "dropped again"])("what was typed stays when its file is %s", async (how) => {
  const opened = await openUnanswered();
  opened.backend.drop([PATH]);
  await opened.answer();
  await screen.findByTestId("verdict");
  await fillIn(opened);
  if (how === "dropped again") opened.backend.drop([PATH]);
  else await opened.user.click(screen.getByRole("button", { name: "Check debian-12.qcow2 again" }));
  await waitFor(() => expect(screen.queryByTestId("details-name")).toBeNull());
  await opened.answer();
  await expectFilledIn(opened);
});

test("what was typed outlives a check that failed", async () => {
  let gone = false;
  const check = (path: string): CheckedFile => {
    if (gone) throw { code: "file_not_found", params: {}, retryable: true };
    return checkByName(path);
  };
  const opened = await openReport({ check }, PATH);
  await fillIn(opened);
  gone = true;
  await opened.user.click(screen.getByRole("button", { name: "Check debian-12.qcow2 again" }));
  const notice = await screen.findByTestId("error-notice");
  gone = false;
  await opened.user.click(within(notice).getByRole("button", { name: "Try again" }));
  await expectFilledIn(opened);
});

test("a preset that nobody touched follows the new check", async () => {
  const opened = await openUnanswered();
  opened.backend.drop([PATH]);
  await opened.answer();
  await screen.findByTestId("verdict");
  await opened.user.type(screen.getByTestId("details-notes"), "Ask Jana");
  opened.backend.drop([PATH]);
  await waitFor(() => expect(screen.queryByTestId("details-name")).toBeNull());
  await opened.answer({ suggested: { name: "fresh", distribution: "ubuntu" } });
  expect((await screen.findByTestId<HTMLInputElement>("details-name")).value).toBe("fresh");
  expect(screen.getByTestId<HTMLSelectElement>("details-distribution").value).toBe("ubuntu");
  expect(screen.getByTestId<HTMLTextAreaElement>("details-notes").value).toBe("Ask Jana");
});

test("a file taken off the list and dropped again begins anew", async () => {
  const opened = await openReport({}, PATH);
  await fillIn(opened);
  await opened.user.click(screen.getByRole("button", { name: "Remove debian-12.qcow2 from the list" }));
  opened.backend.drop([PATH]);
  expect((await screen.findByTestId<HTMLInputElement>("details-name")).value).toBe("debian-12");
  expect(screen.getByTestId<HTMLTextAreaElement>("details-notes").value).toBe("");
});

test("a file dropped again while its upload is being asked for is not sent twice", async () => {
  const { backend, user } = await openReport({}, PATH);
  const start = backend.startUpload.bind(backend);
  let go = (): void => {};
  backend.startUpload = async (request) => {
    await new Promise<void>((resolve) => (go = resolve));
    return start(request);
  };
  await user.click(screen.getByTestId("upload-button"));
  backend.drop([PATH]);
  await waitFor(() => expect(screen.queryByTestId("upload-button")).toBeNull());
  expect((await screen.findByTestId<HTMLButtonElement>("upload-button")).disabled).toBe(true);
  go();
  await screen.findByTestId("sent-file");
  expect(backend.requests).toHaveLength(1);
});

test("more tags than the service takes are told and hold the upload back", async () => {
  const { backend, user } = await openReport();
  const tags = screen.getByTestId<HTMLInputElement>("details-tags");
  await user.click(tags);
  await user.paste(Array.from({ length: 129 }, (_, number) => `t${number}`).join(" "));
  expect(tags.getAttribute("aria-invalid")).toBe("true");
  expect(screen.getByTestId("field-problem").textContent).toContain("128");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests).toHaveLength(0);
  expect(document.activeElement).toBe(tags);
  await user.type(tags, "{Backspace}");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests[0]?.details.tags).toHaveLength(128);
});

test("an emoji in the notes is told at once and holds the upload back", async () => {
  const { backend, user } = await openReport();
  const notes = screen.getByTestId<HTMLTextAreaElement>("details-notes");
  await user.click(notes);
  await user.paste("launch 🚀");
  expect(notes.getAttribute("aria-invalid")).toBe("true");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests).toHaveLength(0);
  expect(document.activeElement).toBe(notes);
});

test("an invalid tag is explained, holds the upload back and keeps the focus", async () => {
  const { backend, user } = await openReport();
  const tags = screen.getByTestId<HTMLInputElement>("details-tags");
  await user.type(tags, "two/words{Enter}");
  expect(tags.getAttribute("aria-invalid")).toBe("true");
  expect(screen.getByTestId("field-problem").textContent).toContain("two/words");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests).toHaveLength(0);
  expect(document.activeElement).toBe(tags);
});

test("a tag still being typed goes with the upload", async () => {
  const { backend, user } = await openReport();
  await user.type(screen.getByTestId("details-tags"), "web");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests[0]?.details.tags).toEqual(["web"]);
});

test("tags can be taken back and are never twice there", async () => {
  const { backend, user } = await openReport();
  const tags = screen.getByTestId("details-tags");
  await user.type(tags, "Web{Enter}web{Enter}db{Enter}old{Enter}{Backspace}");
  await user.click(screen.getByRole("button", { name: "Remove tag db" }));
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests[0]?.details.tags, "the first writing stays").toEqual(["Web"]);
});

test("several pasted words become several tags", async () => {
  const { backend, user } = await openReport();
  await user.click(screen.getByTestId("details-tags"));
  await user.paste("web, db;tier:1");
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests[0]?.details.tags).toEqual(["web", "db", "tier:1"]);
});

test("without a name nothing is sent", async () => {
  const { backend, user } = await openReport();
  const name = screen.getByTestId<HTMLInputElement>("details-name");
  await user.clear(name);
  await user.click(screen.getByTestId("upload-button"));
  expect(backend.requests).toHaveLength(0);
  expect(document.activeElement).toBe(name);
  expect(name.getAttribute("aria-invalid")).toBe("true");
});

test.each(["web", "Büro", "tier:1", "a-b_c", "7", "東京"])("%s is a tag", (tag) => {
  expect(tagProblem(tag)).toBeNull();
});

test.each(["", "two words", "a/b", "a,b", "rocket🚀", "x".repeat(256)])("%s is no tag", (tag) => {
  expect(tagProblem(tag)?.code).toBe("details_tag_invalid");
});

test("names and notes have the limits of the service", () => {
  expect(nameProblem("x".repeat(255))).toBeNull();
  expect(nameProblem("  ")?.code).toBe("details_name_empty");
  expect(nameProblem("x".repeat(256))?.code).toBe("details_name_too_long");
  expect(nameProblem("ship 🚢")).toMatchObject({
    code: "details_name_character",
    params: { character: "🚢" },
  });
  expect(nameProblem("a\u0007b")?.code).toBe("details_name_character");
  expect(notesProblem("x".repeat(16_000))).toBeNull();
  expect(notesProblem("x".repeat(16_001))?.code).toBe("details_notes_too_long");
  expect(notesProblem("two\nlines, 東京")).toBeNull();
  expect(notesProblem("launch 🚀")).toMatchObject({
    code: "details_notes_character",
    params: { character: "🚀" },
  });
  expect(notesProblem("a\u0007b")?.code).toBe("details_notes_character");
  expect(tagsProblem(Array<string>(128).fill("t"))).toBeNull();
  expect(tagsProblem(Array<string>(129).fill("t"))).toMatchObject({
    code: "details_too_many_tags",
    params: { most: "128" },
  });
});

test("a tag in another case is the same tag", () => {
  expect(withTag(["Web"], "WEB")).toEqual(["Web"]);
});
