// The form tells what is wrong where it is wrong, and sends nothing until it is right.

import { screen } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { nameProblem, notesProblem, tagProblem, withTag } from "../features/details/validate";
import { openReport } from "./window";

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
});

test("a tag in another case is the same tag", () => {
  expect(withTag(["Web"], "WEB")).toEqual(["Web"]);
});
