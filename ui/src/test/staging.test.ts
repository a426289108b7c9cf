// What stands in object storages: all of it is shown, nothing goes without being asked, and what runs is let alone.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { objectStorage, PRACTICE, storage } from "../lib/backend/fake-connections";
import { upload } from "../lib/backend/fake-data";
import { stagingObject } from "../lib/backend/fake-staging";
import type { StagingList } from "../lib/generated/bindings";
import { openWindow, type OpenWindow } from "./window";

const OPEN_UPLOAD = stagingObject({
  key: "imagelotse/11/other.img",
  file_name: "other.img",
  size: null,
  kind: { is: "open_upload", upload_id: "part-1" },
  public: false,
  public_until: null,
});
const LIST: StagingList = {
  objects: [
    stagingObject(),
    stagingObject({
      key: "imagelotse/22/old.vmdk",
      file_name: "old.vmdk",
      size: 500_000_000,
      public: false,
      public_until: null,
    }),
    OPEN_UPLOAD,
  ],
  unreachable: [{ connection: "archive", error: { code: "secret_needed", params: {}, retryable: false } }],
};

async function openList(more: Parameters<typeof openWindow>[0] = {}): Promise<OpenWindow> {
  const archive = objectStorage({
    id: "archive",
    storage: storage({ name: "Archive" }),
    needs: { code: "secret_needed", params: {}, retryable: false },
  });
  const opened = await openWindow({
    connections: [PRACTICE, objectStorage(), archive],
    staging: LIST,
    ...more,
  });
  await opened.user.click(screen.getByTestId("nav-images"));
  await screen.findByTestId("staging");
  return opened;
}

test("every object is told with its size, since when, and who can read it until when", async () => {
  await openList();
  const rows = await screen.findAllByTestId("staging-row");
  expect(rows.map((row) => row.dataset["access"])).toEqual(["public", "private", "parts"]);
  expect(rows[0]?.textContent).toContain("Storage of the shop/images");
  expect(rows[0]?.textContent).toContain("1.5 GB");
  expect(rows[0]?.textContent).toContain("Public until Nov 27, 2026");
  expect(rows[0]?.textContent).toContain("since Nov 20, 2026");
  expect(rows[2]?.textContent).toContain("unfinished upload");
  expect(screen.getByTestId("staging-total").textContent).toContain("2 files");
  expect(screen.getByTestId("staging-total").textContent).toContain("2 GB");
});

test("a connection that could not be asked is named with the reason and the way out", async () => {
  const { user } = await openList();
  const notice = await screen.findByTestId("staging-unreachable");
  expect(notice.textContent).toContain("“Archive” could not be asked.");
  expect(notice.textContent).toContain("secret");
  await user.click(within(notice).getByTestId("staging-sign-in"));
  await screen.findByTestId("sign-in-dialog");
});

test("removing asks, says whose it is, and takes parts by their upload", async () => {
  const { backend, user } = await openList();
  const removed: unknown[] = [];
  const remove = backend.removeStaging.bind(backend);
  backend.removeStaging = (...which) => {
    removed.push(which);
    return remove(...which);
  };
  const [, , parts] = await screen.findAllByTestId("staging-row");
  await user.click(within(parts!).getByTestId("staging-remove"));
  expect((await screen.findByTestId("question")).textContent).toContain("Elsewhere an upload or an import");
  await user.click(screen.getByTestId("question-no"));
  expect(removed).toEqual([]);
  await user.click(within(parts!).getByTestId("staging-remove"));
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(screen.getAllByTestId("staging-row")).toHaveLength(2));
  expect(removed).toEqual([["shop", OPEN_UPLOAD.key, "part-1"]]);
  const title = within(screen.getByTestId("staging")).getByRole("heading", { level: 2 });
  await waitFor(() => expect(document.activeElement, "what had the focus has gone").toBe(title));
});

test("while one is removed no other can be chosen, which would be for nothing", async () => {
  const { backend, user } = await openList();
  let answer = (): void => undefined;
  const remove = backend.removeStaging.bind(backend);
  backend.removeStaging = async (...which) => {
    await new Promise<void>((resolve) => (answer = resolve));
    return remove(...which);
  };
  await user.click((await screen.findAllByTestId("staging-remove"))[0]!);
  await user.click(await screen.findByTestId("question-yes"));
  const choices = (): boolean[] =>
    screen.getAllByTestId<HTMLButtonElement>("staging-remove").map(({ disabled }) => disabled);
  await waitFor(() => expect(choices()).toEqual([true, true, true]));
  answer();
  await waitFor(() => expect(choices()).toEqual([false, false]));
});

test("what a running upload writes cannot be removed here, and says how", async () => {
  await openList({
    uploads: [upload({ id: "u1", connection: "shop" })],
    staging: { objects: [{ ...OPEN_UPLOAD, upload: "u1" }], unreachable: [] },
  });
  const row = await screen.findByTestId("staging-row");
  expect(row.dataset["owner"]).toBe("running");
  expect(within(row).queryByTestId("staging-remove")).toBeNull();
  expect(row.textContent).toContain("To remove it, cancel the upload.");
});

test("a refusal is told", async () => {
  const { backend, user } = await openList();
  backend.removeStaging = () => Promise.reject({ code: "s3_access_denied", params: {}, retryable: false });
  await user.click((await screen.findAllByTestId("staging-remove"))[0]!);
  await user.click(await screen.findByTestId("question-yes"));
  expect((await screen.findByTestId("error-notice")).dataset["code"]).toBe("s3_access_denied");
});

test("what waits for its import leads to the hand-over", async () => {
  const staged = upload({
    id: "u1",
    connection: "shop",
    state: "staged",
    published: "2026-11-20T09:41:00Z",
    public_until: "2999-11-27T09:41:00Z",
  });
  const { user } = await openList({ uploads: [staged], staging: { objects: [], unreachable: [] } });
  await user.click(await screen.findByTestId("staging-hand-over"));
  await screen.findByTestId("handover");
});

test("reloading asks again", async () => {
  const { backend, user } = await openList();
  await screen.findAllByTestId("staging-row");
  await backend.removeStaging("shop", OPEN_UPLOAD.key, "part-1");
  await user.click(screen.getByTestId("staging-refresh"));
  await waitFor(() => expect(screen.getAllByTestId("staging-row")).toHaveLength(2));
});

test("the list follows what happens while it is looked at", async () => {
  const { backend } = await openList({ staging: { objects: [], unreachable: [] } });
  await screen.findByTestId("staging-empty");
  const mine = upload({ id: "u1", connection: "shop", state: "verifying" });
  backend.setUploads([mine]);
  backend.setUploads([{ ...mine, state: "staged", published: "2026-11-20T09:41:00Z" }]);
  expect((await screen.findByTestId("staging-row")).dataset["owner"]).toBe("staged");
});

test("nothing left is said", async () => {
  await openList({ staging: { objects: [], unreachable: [] } });
  await screen.findByTestId("staging-empty");
});

test("a connection without a list of images says where to look, and opens the panel", async () => {
  const shop = objectStorage({ storage: storage({ panel: "https://panel.example/" }) });
  const { backend, user } = await openWindow({ connections: [shop], staging: LIST });
  await user.click(screen.getByTestId("nav-images"));
  await screen.findByTestId("images-elsewhere");
  expect(screen.queryByTestId("error-notice")).toBeNull();
  expect(await screen.findAllByTestId("staging-row")).toHaveLength(3);
  await user.click(screen.getByTestId("images-open-panel"));
  expect(backend.panels).toEqual(["shop"]);
});

test("the practice cloud alone has no such list", async () => {
  const { user } = await openWindow();
  await user.click(screen.getByTestId("nav-images"));
  await screen.findByTestId("images-empty");
  expect(screen.queryByTestId("staging")).toBeNull();
});
