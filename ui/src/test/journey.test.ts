// The way a person goes: drop, report, details, upload, progress, images.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { upload } from "../lib/backend/fake-data";
import { openReport, openWindow } from "./window";

test("a dropped file is checked, described, sent and found among the images", async () => {
  const { backend, user } = await openReport();
  expect(screen.getByTestId("verdict")).toHaveProperty("dataset.verdict", "ready");
  expect(screen.getByTestId("fact-virtual-size").textContent, "both units, since people meet both").toBe(
    "2.15 GB (2\u00a0GiB)",
  );

  const name = screen.getByTestId<HTMLInputElement>("details-name");
  expect(name.value, "preset from the file's name").toBe("debian-12");
  expect(
    screen.getByTestId<HTMLSelectElement>("details-distribution").value,
    "preset from what was found",
  ).toBe("debian");
  await user.clear(name);
  await user.type(name, "Web server");
  await user.selectOptions(screen.getByTestId("details-region"), "practice-south");
  await user.type(screen.getByTestId("details-tags"), "web,tier:1 ");
  await user.type(screen.getByTestId("details-notes"), "Ask Jana");
  await user.click(screen.getByTestId("upload-button"));

  expect(backend.requests).toEqual([
    {
      path: "/home/me/debian-12.qcow2",
      connection: "practice",
      details: {
        name: "Web server",
        distribution: "debian",
        region: "practice-south",
        tags: ["web", "tier:1"],
        notes: "Ask Jana",
      },
    },
  ]);
  const sent = await screen.findByTestId("sent-file");
  expect(sent.dataset["state"]).toBe("queued");
  for (let step = 0; step < 3; step += 1) backend.advance("upload-1");
  await waitFor(() => expect(sent.dataset["state"]).toBe("uploading"));
  const bar = within(sent).getByRole("progressbar");
  expect(Number(bar.getAttribute("aria-valuenow"))).toBeGreaterThan(0);
  while (backend.advance("upload-1"));
  await user.click(await screen.findByTestId("show-images"));

  const row = await screen.findByTestId("image-row");
  for (const text of ["Web server", "practice-south", "tier:1", "Ask Jana", "1.5 GB"]) {
    expect(row.textContent, "what was typed arrives in the list").toContain(text);
  }
  expect(screen.getByTestId("images-total").textContent).toContain("1.5 GB (1.4\u00a0GiB) used in all");
});

test("the button opens the system's dialog and takes what was chosen", async () => {
  const { user } = await openWindow({ choice: ["/home/me/ubuntu-24.04.img"] });
  await user.click(screen.getByTestId("choose-file"));
  expect((await screen.findByTestId("verdict")).dataset["verdict"]).toBe("ready_with_warnings");
});

test("a dialog closed without a choice changes nothing", async () => {
  const { user } = await openWindow({ choice: [] });
  await user.click(screen.getByTestId("choose-file"));
  expect(screen.queryByTestId("file-card")).toBeNull();
});

test("while files are dragged over the window it says that anywhere is right", async () => {
  const { backend } = await openWindow();
  backend.drag(true);
  await screen.findByTestId("drag-overlay");
  backend.drag(false);
  await waitFor(() => expect(screen.queryByTestId("drag-overlay")).toBeNull());
});

test("the connection is shown as what it is", async () => {
  await openWindow();
  expect(screen.getByTestId("connection-label").textContent.replace(/\s+/g, " ").trim()).toBe(
    "Practice cloud – Nothing leaves this computer",
  );
});

test("problems come first, with place and commands to copy; passes are folded away", async () => {
  const { backend, user } = await openReport({}, "/home/me/legacy.vmdk");
  const statuses = screen.getAllByTestId(/^finding-/).map((item) => item.dataset["status"]);
  expect(statuses.slice(0, 4)).toEqual(["fail", "fail", "warning", "unknown"]);
  const passed = screen.getByTestId<HTMLDetailsElement>("passed");
  expect(passed.open).toBe(false);
  expect(passed.querySelector("summary")?.textContent).toContain("8 checks passed");
  const order = screen.getByTestId("finding-datasource_order");
  expect(order.textContent).toContain("/etc/cloud/cloud.cfg.d/90_dpkg.cfg:2");
  await user.click(within(order).getByRole("button", { name: "Copy" }));
  expect(backend.copied).toEqual([
    "echo 'datasource_list: [ ConfigDrive, NoCloud, None ]' > /etc/cloud/cloud.cfg.d/99-ccloud.cfg",
  ]);
});

test("what is not known is said to be not known", async () => {
  await openReport({}, "/home/me/other.vhdx");
  expect(screen.getByTestId("verdict").dataset["verdict"]).toBe("unknown");
  expect(screen.getByTestId("fact-sshd").textContent).toBe("Not known");
  expect(screen.getByTestId("finding-sshd_enabled").dataset["status"]).toBe("unknown");
});

test("an image that will not work is sent only after an express yes", async () => {
  const { backend, user } = await openReport({}, "/home/me/legacy.vmdk");
  await user.click(screen.getByTestId("upload-button"));
  await user.click(await screen.findByTestId("question-no"));
  expect(backend.requests).toHaveLength(0);
  await user.click(screen.getByTestId("upload-button"));
  await user.click(await screen.findByTestId("question-yes"));
  await screen.findByTestId("sent-file");
  expect(backend.requests).toHaveLength(1);
});

test("several files are checked each on their own", async () => {
  const { backend, user } = await openWindow();
  backend.drop(["/home/me/debian-12.qcow2", "/home/me/empty.img", "/home/me/legacy.vmdk"]);
  await waitFor(() => {
    const states = screen.getAllByTestId("file-card").map((card) => card.dataset["state"]);
    expect(states).toEqual(["checked", "failed", "checked"]);
  });
  const [first] = screen.getAllByTestId("file-card");
  const fold = within(first!).getByRole("button", { name: "debian-12.qcow2" });
  expect(fold.getAttribute("aria-expanded"), "folded, so that all are seen").toBe("false");
  await user.click(fold);
  expect(fold.getAttribute("aria-expanded")).toBe("true");
  await user.click(within(first!).getByRole("button", { name: "Remove debian-12.qcow2 from the list" }));
  expect(screen.getAllByTestId("file-card")).toHaveLength(2);
});

test("an answer that comes after its file was dropped again does not count", async () => {
  const answers: ((name: string) => void)[] = [];
  const { goodReport } = await import("../lib/backend/fake-data");
  const check = (path: string) =>
    new Promise<never>((resolve) => {
      answers.push((name) =>
        resolve({ path, report: goodReport(name), suggested: { name, distribution: "debian" } } as never),
      );
    });
  const { backend } = await openWindow({ check });
  backend.drop(["/a.img"]);
  backend.drop(["/a.img"]);
  await waitFor(() => expect(answers).toHaveLength(2));
  answers[1]?.("new");
  await waitFor(() => expect(screen.getByTestId<HTMLInputElement>("details-name").value).toBe("new"));
  answers[0]?.("old");
  await Promise.resolve();
  expect(screen.getByTestId<HTMLInputElement>("details-name").value).toBe("new");
});

test("a file dropped again while it is being sent is not offered to be sent twice", async () => {
  const { backend, user } = await openReport();
  await user.click(screen.getByTestId("upload-button"));
  await screen.findByTestId("sent-file");
  backend.drop(["/home/me/debian-12.qcow2"]);
  await screen.findByTestId("verdict");
  expect(screen.queryByTestId("upload-button")).toBeNull();
  while (backend.advance("upload-1"));
  backend.drop(["/home/me/debian-12.qcow2"]);
  await screen.findByTestId("upload-button");
});

test("looking at the images loses nothing that was typed", async () => {
  const { user } = await openReport();
  await user.type(screen.getByTestId("details-notes"), "half a sen");
  await user.click(screen.getByTestId("nav-images"));
  await user.click(screen.getByTestId("nav-check"));
  expect(screen.getByTestId<HTMLTextAreaElement>("details-notes").value).toBe("half a sen");
});

test("uploads of an earlier start are there again", async () => {
  const { user } = await openWindow({
    uploads: [upload({ state: "interrupted", acknowledged: 700_000_000 })],
  });
  await user.click(screen.getByTestId("transfers-button"));
  expect((await screen.findByTestId("upload-row")).dataset["state"]).toBe("interrupted");
});
