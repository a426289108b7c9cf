// Where an image goes: which connection, which region, and what will happen there, told before anything is sent.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { objectStorage, PRACTICE, storage } from "../lib/backend/fake-connections";
import { openReport, type OpenWindow } from "./window";

const SHOP = objectStorage({ storage: storage({ image_regions: ["north", "south"] }) });

async function openForm(connections = [PRACTICE, SHOP]): Promise<OpenWindow> {
  const opened = await openReport({ connections });
  await opened.user.selectOptions(screen.getByTestId("details-connection"), "shop");
  return opened;
}

async function sentRegion({ backend, user }: OpenWindow): Promise<string | undefined> {
  await user.click(screen.getByTestId("upload-button"));
  await screen.findByTestId("sent-file");
  return backend.requests[0]?.details.region;
}

test("with one connection there is nothing to choose", async () => {
  await openReport();
  expect(screen.queryByTestId("details-connection")).toBeNull();
  expect(screen.queryByTestId("sending-plan"), "the practice cloud needs no explanation").toBeNull();
});

test("what was chosen is used and remembered", async () => {
  const { backend, user } = await openForm();
  await user.click(screen.getByTestId("upload-button"));
  await screen.findByTestId("sent-file");
  expect(backend.requests[0]?.connection).toBe("shop");
  expect(localStorage.getItem("imagelotse.connection")).toBe("shop");
});

test("what will happen is told with place and time before anything is sent", async () => {
  await openForm();
  const plan = await screen.findByTestId("sending-plan");
  expect(plan.textContent).toContain("Storage of the shop/images");
  expect(plan.textContent).toContain("not public");
  await waitFor(() => expect(plan.textContent).toContain("7 days"));
});

test("a region that was noted is the preset", async () => {
  expect(await sentRegion(await openForm())).toBe("north");
});

test("the region may be left to the panel", async () => {
  const opened = await openForm();
  await opened.user.selectOptions(screen.getByTestId("details-region"), "Choose in the panel later");
  expect(await sentRegion(opened)).toBe("");
});

test("another region may be typed, and outlives a look at another connection", async () => {
  const opened = await openForm();
  const { user } = opened;
  await user.selectOptions(screen.getByTestId("details-region"), "Another name…");
  await user.type(screen.getByTestId("details-region-name"), " west ");
  await user.selectOptions(screen.getByTestId("details-connection"), "practice");
  expect(screen.getByTestId<HTMLSelectElement>("details-region").value).toBe("practice-north");
  await user.selectOptions(screen.getByTestId("details-connection"), "shop");
  expect(screen.getByTestId<HTMLInputElement>("details-region-name").value).toBe(" west ");
  expect(await sentRegion(opened)).toBe("west");
});

test("without noted names the panel is asked", async () => {
  const opened = await openForm([PRACTICE, objectStorage()]);
  expect(screen.getByText(/ccloud³ asks for it at the import/)).toBeDefined();
  expect(await sentRegion(opened)).toBe("");
});

test("a connection that needs a secret says so, and Upload leads to the sign-in and goes on after it", async () => {
  const needs = { code: "secret_needed", params: {}, retryable: false };
  const { backend, user } = await openForm([PRACTICE, { ...SHOP, needs }]);
  expect(screen.getByTestId("details-needs").dataset["code"]).toBe("secret_needed");
  await user.click(screen.getByTestId("upload-button"));
  await screen.findByTestId("sign-in-dialog");
  expect(backend.requests).toEqual([]);
  const dialog = within(screen.getByTestId("sign-in-dialog"));
  await user.click(dialog.getByText("Cancel"));
  await waitFor(() => expect(dialog.queryByTestId("sign-in-secret")).toBeNull());
  expect(backend.requests, "who did not sign in sends nothing").toEqual([]);
  await user.click(screen.getByTestId("upload-button"));
  await user.type(await dialog.findByTestId("sign-in-secret"), "s3cr3t{Enter}");
  await screen.findByTestId("sent-file");
  expect(backend.requests.map(({ connection }) => connection)).toEqual(["shop"]);
});
