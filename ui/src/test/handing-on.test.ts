// A report leaves the window as a file or a mail, with what was typed, and what goes wrong on the way is told.

import { screen, waitFor } from "@testing-library/svelte";
import { expect, test, vi } from "vitest";

import { openReport } from "./window";

const RICH = "/home/me/old-server.qcow2";

test.each(["html", "text", "json"] as const)(
  "the report is saved as %s, in the window's language",
  async (form) => {
    const { backend, user } = await openReport({ place: `old-server.report.${form}` }, RICH);
    await user.click(screen.getByTestId("save-report"));
    await user.click(screen.getByTestId(`save-${form}`));
    expect(backend.saved).toMatchObject([{ format: form, language: "en" }]);
    expect(backend.saved[0]?.report.source.name).toBe("old-server.qcow2");
    expect((await screen.findByTestId("report-done")).textContent).toContain(`old-server.report.${form}`);
    expect(screen.getByTestId("announcer").textContent).toContain("Saved");
    expect(document.activeElement, "the focus is not lost").toBe(screen.getByTestId("save-report"));
  },
);

test("the choice of forms goes by keyboard and closes with Esc", async () => {
  const { user } = await openReport({}, RICH);
  const button = screen.getByTestId("save-report");
  button.focus();
  await user.keyboard("{Enter}");
  expect(button.getAttribute("aria-expanded")).toBe("true");
  await user.tab();
  expect(document.activeElement).toBe(screen.getByTestId("save-html"));
  await user.keyboard("{Escape}");
  expect(button.getAttribute("aria-expanded")).toBe("false");
  expect(document.activeElement).toBe(button);
  await user.keyboard("{Enter}");
  await user.tab({ shift: true });
  expect(button.getAttribute("aria-expanded"), "and when the focus goes elsewhere").toBe("false");
});

test("a fix script is offered where there is something to run, and only there", async () => {
  const { backend, user } = await openReport({}, RICH);
  await user.click(screen.getByTestId("save-script"));
  expect(backend.saved).toMatchObject([{ format: "script" }]);
});

test("an image in order has nothing to mend", async () => {
  await openReport();
  expect(screen.queryByTestId("save-script")).toBeNull();
});

test("the mail takes what was typed so far along", async () => {
  const { backend, user } = await openReport({}, RICH);
  await user.type(screen.getByTestId("details-notes"), " Ask Jana ");
  await user.type(screen.getByTestId("details-tags"), "web{Enter}");
  await user.click(screen.getByTestId("mail-report"));
  expect(backend.mailed[0]).toMatchObject({
    format: "mail",
    details: { name: "old-server", region: "practice-north", tags: ["web"], notes: "Ask Jana" },
  });
  expect((await screen.findByTestId("report-done")).textContent).toContain("sent only when you send it");
});

test("a dialog closed without a choice tells nothing", async () => {
  const { backend, user } = await openReport({ place: null }, RICH);
  await user.click(screen.getByTestId("save-script"));
  await waitFor(() => expect(screen.getByTestId<HTMLButtonElement>("save-script").disabled).toBe(false));
  expect(backend.saved).toEqual([]);
  expect(screen.queryByTestId("report-done")).toBeNull();
});

test("what could not be written or opened is told with what to do instead", async () => {
  const { backend, user } = await openReport({}, RICH);
  const error = { params: { path: "/full/report.html", cause: "no space" }, retryable: true };
  vi.spyOn(backend, "saveReport").mockRejectedValue({ code: "file_not_saved", ...error });
  await user.click(screen.getByTestId("save-script"));
  expect((await screen.findByTestId("error-notice")).textContent).toContain("/full/report.html");
  vi.spyOn(backend, "mailReport").mockRejectedValue({ code: "mail_not_opened", ...error });
  await user.click(screen.getByTestId("mail-report"));
  await waitFor(() => expect(screen.getByTestId("error-notice").textContent).toContain("technik@centron.de"));
});
