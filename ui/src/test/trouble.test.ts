// Whatever goes wrong, a person is told what happened and what to do next.

import { screen, waitFor } from "@testing-library/svelte";
import { expect, test, vi } from "vitest";

import { FILE_ERRORS } from "../lib/backend/fake-data";
import en from "../../messages/en.json";
import { openReport, openWindow } from "./window";

const texts = en as Record<string, string>;

test.each(Object.entries(FILE_ERRORS))("a file that is %s gets its own message", async (start, error) => {
  const { backend } = await openWindow();
  backend.drop([`/home/me/${start}.img`]);
  const notice = await screen.findByTestId("error-notice");
  expect(notice.dataset["code"]).toBe(error.code);
  const what = texts[`error_${error.code}`];
  expect(what, "the catalogue has a sentence for it").toBeDefined();
  expect(notice.textContent).toContain(what?.split("{")[0]);
  expect(notice.textContent).not.toContain("undefined");
});

test("a code without a sentence is named in a general one", async () => {
  const check = (): never => {
    throw { code: "moon_phase", params: {}, retryable: true };
  };
  const { backend } = await openWindow({ check });
  backend.drop(["/a.img"]);
  expect((await screen.findByTestId("error-notice")).textContent).toContain("moon_phase");
});

test("a check that failed can be repeated", async () => {
  let times = 0;
  const { checkByName } = await import("../lib/backend/fake-data");
  const check = (path: string) => {
    times += 1;
    if (times === 1) throw { code: "file_not_found", params: {}, retryable: true };
    return checkByName(path);
  };
  const { backend, user } = await openWindow({ check });
  backend.drop(["/home/me/debian.img"]);
  await screen.findByTestId("error-notice");
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByTestId("verdict");
});

test("an upload that is refused says so on the form, which keeps what was typed", async () => {
  const { backend, user } = await openReport();
  vi.spyOn(backend, "startUpload").mockRejectedValue({
    code: "region_unknown",
    params: { region: "mars" },
    retryable: false,
  });
  await user.type(screen.getByTestId("details-notes"), "keep me");
  await user.click(screen.getByTestId("upload-button"));
  expect((await screen.findByTestId("error-notice")).textContent).toContain("mars");
  expect(screen.getByTestId<HTMLTextAreaElement>("details-notes").value).toBe("keep me");
  expect(screen.getByTestId<HTMLButtonElement>("upload-button").disabled).toBe(false);
});

test("a list of images that cannot be had says so and can be asked for again", async () => {
  const { backend, user } = await openWindow();
  const images = vi.spyOn(backend, "images").mockRejectedValue({ code: "x", params: {}, retryable: true });
  await user.click(screen.getByTestId("nav-images"));
  await screen.findByTestId("error-notice");
  images.mockRestore();
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(screen.queryByTestId("error-notice")).toBeNull());
});

test("without a connection nothing can be sent, and it can be tried again", async () => {
  const { FakeBackend } = await import("../lib/backend/fake");
  const connections = vi
    .spyOn(FakeBackend.prototype, "connections")
    .mockRejectedValue({ code: "practice_port", params: { reason: "taken" }, retryable: true });
  const { backend, user } = await openReport();
  expect(screen.getByTestId<HTMLButtonElement>("upload-button").disabled).toBe(true);
  connections.mockRestore();
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(screen.getByTestId<HTMLButtonElement>("upload-button").disabled).toBe(false));
  expect(backend.requests).toHaveLength(0);
});
