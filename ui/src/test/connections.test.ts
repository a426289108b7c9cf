// Connections: set up, tested step by step, changed, removed, signed in to. No secret stays where it is not needed.

import { screen, waitFor, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import type { FakeOptions } from "../lib/backend/fake";
import { objectStorage, profile, storage } from "../lib/backend/fake-connections";
import { upload } from "../lib/backend/fake-data";
import { openWindow, type OpenWindow } from "./window";

const SECRET = "s3cr3t-of-the-shop";
const PRACTICE = {
  id: "practice",
  kind: "practice",
  name: "",
  regions: ["practice-north"],
  storage: null,
  needs: null,
} as const;
const LOCKED = { code: "passphrase_needed", params: { connection: "shop" }, retryable: false };
const NO_SECRET = { code: "secret_needed", params: { connection: "shop" }, retryable: false };
const NO_KEYCHAIN = { code: "keychain_unavailable", params: { cause: "no such service" }, retryable: false };

async function openConnections(options: FakeOptions = {}): Promise<OpenWindow> {
  const opened = await openWindow(options);
  await opened.user.click(screen.getByTestId("nav-connections"));
  return opened;
}

function withShop(more: Parameters<typeof objectStorage>[0] = {}): FakeOptions {
  return { connections: [{ ...PRACTICE, regions: ["practice-north"] }, objectStorage(more)] };
}

async function openForm(options: FakeOptions = {}): Promise<OpenWindow> {
  const opened = await openConnections(options);
  await opened.user.click(screen.getByTestId("add-connection"));
  await screen.findByTestId("secret-in-keychain");
  return opened;
}

type Typed = { name?: string; endpoint?: string; secret?: string; bucket?: string };

async function fill({ user }: OpenWindow, typed: Typed = {}): Promise<void> {
  await user.type(screen.getByTestId("connection-name"), typed.name ?? "Shop");
  await user.type(screen.getByTestId("connection-endpoint"), typed.endpoint ?? "s3.example.com");
  await user.type(screen.getByTestId("connection-access-key"), "AKID");
  await user.type(screen.getByTestId("connection-secret"), typed.secret ?? SECRET);
  if (typed.bucket !== "") await user.type(screen.getByTestId("connection-bucket"), typed.bucket ?? "images");
}

async function card(id: string): Promise<HTMLElement> {
  return waitFor(() => {
    const found = screen.getAllByTestId("connection").find((one) => one.dataset["id"] === id);
    if (!found) throw new Error(`no card ${id}`);
    return found;
  });
}

function marks(): (string | undefined)[] {
  return within(screen.getByTestId("trial-steps"))
    .getAllByRole("listitem")
    .map((step) => step.dataset["result"]);
}

test("a connection is set up, tested step by step, kept, and in use from then on", async () => {
  const opened = await openForm();
  const { backend, user } = opened;
  await fill(opened);
  await user.click(screen.getByTestId("test-connection"));
  await waitFor(() => expect(screen.getByTestId("trial-result").textContent).toContain("Everything works"));
  expect(marks()).toEqual(Array.from({ length: 8 }, () => "passed"));
  expect(screen.getByTestId("trial-log").textContent).toContain("Open the bucket: In order.");
  await user.click(screen.getByTestId("save-connection"));
  const shop = await card("shop");
  expect(screen.queryByTestId("question-yes"), "nothing to ask after a passed test").toBeNull();
  expect(shop.textContent).toContain("s3.example.com");
  expect(within(shop).queryByTestId("connection-in-use")).not.toBeNull();
  expect(screen.getByTestId("connection-label").textContent).toContain("Shop");
  expect(localStorage.getItem("imagelotse.connection")).toBe("shop");
  expect(backend.set.knows("shop", SECRET)).toBe(true);
  await waitFor(() => expect(shop.contains(document.activeElement)).toBe(true));
});

test("the secret is hidden until asked for, and nowhere in the page after saving", async () => {
  const opened = await openForm();
  await fill(opened);
  const field = screen.getByTestId<HTMLInputElement>("connection-secret");
  expect(field.type).toBe("password");
  expect(field.autocomplete).toBe("off");
  await opened.user.click(screen.getByTestId("connection-secret-show"));
  expect(field.type).toBe("text");
  await opened.user.click(screen.getByTestId("save-connection"));
  await opened.user.click(await screen.findByTestId("question-yes"));
  await card("shop");
  const values = [...document.querySelectorAll("input")].map(({ value }) => value);
  expect([...values, document.body.innerHTML, JSON.stringify({ ...localStorage })].join()).not.toContain(
    SECRET,
  );
});

test("a kept secret is said to be kept, and replaced only when another is typed", async () => {
  const { backend, user } = await openConnections(withShop());
  backend.set.signIn("shop", SECRET);
  await user.click(screen.getByTestId("edit-connection"));
  expect(screen.getByTestId<HTMLInputElement>("connection-secret").value).toBe("");
  expect(screen.getByTestId("connection-secret-hint").textContent).toContain("Kept");
  await user.clear(screen.getByTestId("connection-name"));
  await user.type(screen.getByTestId("connection-name"), "Warehouse");
  await user.click(screen.getByTestId("save-connection"));
  expect((await card("shop")).textContent).toContain("Warehouse");
  expect(backend.set.knows("shop", SECRET), "a new name asks for no test and keeps the secret").toBe(true);
  await user.click(screen.getByTestId("edit-connection"));
  await user.type(screen.getByTestId("connection-secret"), "another");
  await user.click(screen.getByTestId("save-connection"));
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(backend.set.knows("shop", "another")).toBe(true));
});

test("what is missing is told at its field, which gets the focus", async () => {
  const { user } = await openForm();
  await user.click(screen.getByTestId("save-connection"));
  for (const [testId, text] of [
    ["connection-name", "Shop"],
    ["connection-endpoint", "s3.example.com"],
    ["connection-access-key", "AKID"],
    ["connection-secret", "x"],
    ["connection-bucket", "images"],
  ] as const) {
    const field = screen.getByTestId(testId);
    await waitFor(() => expect(document.activeElement).toBe(field));
    expect(field.getAttribute("aria-invalid")).toBe("true");
    await user.type(field, text);
    await user.click(screen.getByTestId("save-connection"));
  }
  await screen.findByTestId("question-yes");
});

test("a step that fails says why and what to do; what comes after is skipped, and saving asks", async () => {
  const opened = await openForm();
  const { user } = opened;
  await fill(opened, { endpoint: "unknown.example.com" });
  await user.click(screen.getByTestId("test-connection"));
  await screen.findByTestId("trial-result");
  expect(marks()).toEqual(["failed", ...Array.from({ length: 7 }, () => "skipped")]);
  expect(screen.getByTestId("trial-name").textContent).toContain("unknown.example.com");
  await user.click(screen.getByTestId("save-connection"));
  expect(screen.getByTestId("question").textContent).toContain("in spite of the failure");
  await user.click(screen.getByTestId("question-no"));
  expect(screen.getByTestId("connection-form")).toBeDefined();
  await user.clear(screen.getByTestId("connection-endpoint"));
  await user.type(screen.getByTestId("connection-endpoint"), "s3.example.com");
  expect(screen.getByTestId("trial-result").textContent).toContain("changed since");
});

test("a bucket that is missing is created right where the test misses it", async () => {
  const opened = await openForm();
  const { user } = opened;
  await fill(opened, { bucket: "fresh" });
  await user.click(screen.getByTestId("test-connection"));
  await user.click(await screen.findByTestId("create-missing-bucket"));
  await waitFor(() => expect(screen.getByTestId("trial-result").textContent).toContain("Everything works"));
});

test("buckets are loaded from the service, chosen from, and created under a name nobody guesses", async () => {
  const opened = await openForm();
  const { backend, user } = opened;
  await fill(opened, { bucket: "" });
  await user.click(screen.getByTestId("load-buckets"));
  await user.selectOptions(await screen.findByTestId("connection-buckets"), "backups");
  const field = screen.getByTestId<HTMLInputElement>("connection-bucket");
  expect(field.value).toBe("backups");
  await user.click(screen.getByTestId("new-bucket"));
  const proposed = (await screen.findByTestId<HTMLInputElement>("new-bucket-name")).value;
  expect(proposed).toMatch(/^imagelotse-[a-z2-7]{12}$/);
  await user.type(screen.getByTestId("new-bucket-name"), "{Enter}");
  await waitFor(() => expect(field.value).toBe(proposed));
  expect(backend.set.all, "Enter there saves no connection").toHaveLength(1);
});

test("a profile is read only when asked for, and its secret does not come to the window", async () => {
  const profiles = {
    found: [
      profile({ name: "office", access_key: "AKIDOFFICE" }),
      profile({
        source: "rclone",
        name: "sso",
        problem: { code: "profile_needs_sign_in", params: { name: "sso" }, retryable: false },
      }),
    ],
    unreadable: [],
  };
  const { user } = await openForm({ profiles });
  expect(screen.queryAllByTestId("profile")).toHaveLength(0);
  await user.click(screen.getByTestId("read-profiles"));
  expect(await screen.findAllByTestId("profile")).toHaveLength(2);
  expect(screen.getAllByTestId("take-profile"), "what cannot be used cannot be taken").toHaveLength(1);
  await user.click(screen.getByTestId("take-profile"));
  expect(screen.getByTestId<HTMLInputElement>("connection-access-key").value).toBe("AKIDOFFICE");
  expect(screen.getByTestId<HTMLInputElement>("connection-name").value).toBe("office");
  expect(screen.getByTestId("connection-secret-hint").textContent).toContain("office");
  await user.type(screen.getByTestId("connection-bucket"), "images");
  await user.click(screen.getByTestId("test-connection"));
  await waitFor(() => expect(screen.getByTestId("trial-result").textContent).toContain("Everything works"));
});

test("where there is no keychain it is said, and asking each time is the preset", async () => {
  await openForm({ keychain: NO_KEYCHAIN });
  expect(screen.getByTestId<HTMLInputElement>("secret-in-keychain").disabled).toBe(true);
  expect(screen.getByTestId<HTMLInputElement>("secret-in-ask").checked).toBe(true);
  expect(screen.getByTestId("no-keychain").textContent?.trim()).not.toBe("");
});

test("the encrypted file asks for its passphrase twice when it is made", async () => {
  const opened = await openForm();
  const { backend, user } = opened;
  await fill(opened);
  await user.click(screen.getByTestId("secret-in-file"));
  await user.type(screen.getByTestId("connection-passphrase"), "eight letters");
  await user.type(screen.getByTestId("connection-passphrase-again"), "eight lettres");
  await user.click(screen.getByTestId("save-connection"));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("connection-passphrase")));
  expect(screen.getByTestId("connection-form").textContent).toContain("two different passphrases");
  await user.clear(screen.getByTestId("connection-passphrase-again"));
  await user.type(screen.getByTestId("connection-passphrase-again"), "eight letters");
  await user.click(screen.getByTestId("save-connection"));
  await user.click(await screen.findByTestId("question-yes"));
  await card("shop");
  expect(backend.set.places().file).toBe("unlocked");
});

test("a kept secret in a locked file is reached by its passphrase, also when it shall be kept elsewhere", async () => {
  const shop = withShop({ needs: LOCKED, storage: storage({ secret_in: "file" }) });
  const { backend, user } = await openConnections({
    ...shop,
    secretFile: "locked",
    passphrase: "open sesame",
  });
  await user.click(screen.getByTestId("edit-connection"));
  await user.click(await screen.findByTestId("secret-in-ask"));
  await user.click(screen.getByTestId("save-connection"));
  const dialog = within(screen.getByTestId("sign-in-dialog"));
  await user.type(await dialog.findByTestId("sign-in-secret"), "open sesame{Enter}");
  await waitFor(() => expect(dialog.queryByTestId("sign-in-secret")).toBeNull());
  await user.click(screen.getByTestId("save-connection"));
  await card("shop");
  expect(backend.set.all[1]?.storage?.secret_in).toBe("ask");
});

test("changing the bucket's rules is asked for before it is chosen", async () => {
  const { user } = await openForm();
  await user.click(screen.getByTestId("connection-advanced").querySelector("summary")!);
  await user.click(screen.getByTestId("public-by-bucket_policy"));
  await user.click(await screen.findByTestId("question-no"));
  await waitFor(() => expect(screen.getByTestId<HTMLInputElement>("public-by-acl").checked).toBe(true));
  await user.click(screen.getByTestId("public-by-bucket_policy"));
  await user.click(await screen.findByTestId("question-yes"));
  expect(screen.getByTestId<HTMLInputElement>("public-by-bucket_policy").checked).toBe(true);
});

test("where objects cannot be opened singly the test offers the bucket's policy", async () => {
  const opened = await openForm({ buckets: ["private"] });
  await fill(opened, { bucket: "private" });
  await opened.user.click(screen.getByTestId("test-connection"));
  await opened.user.click(await screen.findByTestId("try-policy"));
  await opened.user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(screen.getByTestId("trial-result").textContent).toContain("Everything works"));
});

test("where opening a single object does nothing the test offers the bucket's policy, too", async () => {
  const opened = await openForm();
  const { backend, user } = opened;
  await fill(opened);
  const error = { code: "s3_not_public", params: { status: "403" }, retryable: false };
  backend.testConnection = () =>
    Promise.resolve([{ kind: "public_read", outcome: { result: "failed", error } }]);
  await user.click(screen.getByTestId("test-connection"));
  await screen.findByTestId("try-policy");
});

test("while it is being saved the form cannot be left, and a press more does nothing more", async () => {
  const opened = await openConnections(withShop());
  const { backend, user } = opened;
  backend.set.signIn("shop", SECRET);
  await user.click(screen.getByTestId("edit-connection"));
  let saves = 0;
  let answer = (): void => undefined;
  const save = backend.saveConnection.bind(backend);
  backend.saveConnection = async (...what) => {
    saves += 1;
    await new Promise<void>((resolve) => (answer = resolve));
    return save(...what);
  };
  await user.click(screen.getByTestId("save-connection"));
  await waitFor(() => expect(saves).toBe(1));
  const cancel = screen.getByTestId<HTMLButtonElement>("cancel-connection");
  expect(cancel.disabled, "a late answer would close a form opened meanwhile").toBe(true);
  await user.click(cancel);
  await user.click(screen.getByTestId("save-connection"));
  expect(screen.getByTestId("connection-form")).toBeDefined();
  answer();
  await waitFor(() => expect(screen.queryByTestId("connection-form")).toBeNull());
  expect(saves).toBe(1);
});

test("a double press makes one test, one bucket, and names the bucket that was tested", async () => {
  const opened = await openForm();
  const { backend, user } = opened;
  await fill(opened, { bucket: "fresh" });
  let tests = 0;
  const run = backend.testConnection.bind(backend);
  backend.testConnection = (...what) => {
    tests += 1;
    return run(...what);
  };
  await user.dblClick(screen.getByTestId("test-connection"));
  const create = await screen.findByTestId("create-missing-bucket");
  expect(tests).toBe(1);
  await user.type(screen.getByTestId("connection-bucket"), "er");
  expect(create.textContent).toContain("“fresh”");
  let made: string[] = [];
  const make = backend.createBucket.bind(backend);
  backend.createBucket = (draft) => {
    made = [...made, draft.storage.bucket];
    return make(draft);
  };
  await user.dblClick(create);
  await waitFor(() => expect(screen.getByTestId("trial-result").textContent).toContain("Everything works"));
  expect(made).toEqual(["fresh"]);
});

test("a second press while the file is being opened begins no second test", async () => {
  const shop = withShop({ needs: LOCKED, storage: storage({ secret_in: "file" }) });
  const opened = await openConnections({ ...shop, secretFile: "locked", passphrase: "open sesame" });
  const { backend, user } = opened;
  await user.click(screen.getByTestId("edit-connection"));
  await user.type(await screen.findByTestId("connection-passphrase"), "open sesame");
  const answers: (() => void)[] = [];
  const unlock = backend.unlock.bind(backend);
  backend.unlock = async (passphrase) => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return unlock(passphrase);
  };
  let tests = 0;
  const run = backend.testConnection.bind(backend);
  backend.testConnection = (...what) => {
    tests += 1;
    return run(...what);
  };
  await user.dblClick(screen.getByTestId("test-connection"));
  await waitFor(() => expect(answers).toHaveLength(2));
  answers.forEach((answer) => answer());
  await screen.findByTestId("trial-result");
  expect(tests).toBe(1);
});

test("as long as it is not known where a secret can be kept, nothing is saved, and it can be asked again", async () => {
  const opened = await openConnections();
  const { backend, user } = opened;
  const places = backend.secretPlaces.bind(backend);
  backend.secretPlaces = () => Promise.reject({ code: "window_engine_gone", params: {}, retryable: true });
  await user.click(screen.getByTestId("add-connection"));
  const notice = await screen.findByTestId("error-notice");
  await fill(opened);
  await user.click(screen.getByTestId("save-connection"));
  await Promise.resolve();
  expect(screen.queryByTestId("question-yes")).toBeNull();
  expect(backend.set.all, "nothing was kept under a choice that nobody made").toHaveLength(1);
  expect(notice).toBeDefined();
  backend.secretPlaces = places;
  await user.click(within(await screen.findByTestId("error-notice")).getByRole("button"));
  await screen.findByTestId("secret-in-keychain");
});

test("what is closed gives the focus back to what opened it", async () => {
  const { user } = await openForm();
  await user.click(screen.getByTestId("new-bucket"));
  await user.click(within(screen.getByTestId("create-bucket").parentElement!).getByText("Cancel"));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("new-bucket")));
  await user.click(screen.getByTestId("read-profiles"));
  await user.click(await screen.findByTestId("close-profiles"));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("read-profiles")));
});

test("removing asks first, and once more while uploads have not ended", async () => {
  const uploads = [upload({ connection: "shop" })];
  const { backend, user } = await openConnections({ ...withShop(), uploads });
  await user.click(screen.getByTestId("remove-connection"));
  await user.click(await screen.findByTestId("question-no"));
  expect(backend.set.all).toHaveLength(2);
  await user.click(screen.getByTestId("remove-connection"));
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(screen.getByTestId("question").textContent).toContain("have not ended"));
  await user.click(screen.getByTestId("question-no"));
  expect(backend.set.all).toHaveLength(2);
  await user.click(screen.getByTestId("remove-connection"));
  await user.click(await screen.findByTestId("question-yes"));
  await waitFor(() => expect(screen.getByTestId("question").textContent).toContain("have not ended"));
  await user.click(screen.getByTestId("question-yes"));
  await waitFor(() => expect(backend.set.all).toHaveLength(1));
  expect(screen.getByTestId("connection-label").dataset["kind"]).toBe("practice");
});

test("a connection without its secret has the field for it right there; what waited goes on", async () => {
  const uploads = [upload({ connection: "shop", state: "waiting_for_sign_in", error: NO_SECRET })];
  const shop = withShop({ needs: NO_SECRET, storage: storage({ secret_in: "ask" }) });
  const { backend, user } = await openConnections({ ...shop, uploads });
  await user.type(await screen.findByTestId("sign-in-secret"), `${SECRET}{Enter}`);
  await waitFor(() => expect(screen.queryByTestId("connection-needs")).toBeNull());
  expect(backend.set.knows("shop", SECRET)).toBe(true);
  expect((await backend.uploads())[0]?.state).toBe("queued");
  expect((await card("shop")).contains(document.activeElement)).toBe(true);
});

test("while the keychain is locked it can be tried again, or the secret typed for this time", async () => {
  const needs = { code: "keychain_locked", params: {}, retryable: true };
  const { backend, user } = await openConnections(withShop({ needs }));
  const shop = within(await card("shop"));
  expect(shop.getByTestId("error-notice").dataset["code"]).toBe("keychain_locked");
  await user.click(shop.getByText("Try again"));
  await user.type(shop.getByTestId("sign-in-secret"), `${SECRET}{Enter}`);
  await waitFor(() => expect(shop.queryByTestId("connection-needs")).toBeNull());
  expect(backend.set.knows("shop", SECRET)).toBe(true);
});

test("a passphrase that is wrong is told so; the right one opens the file", async () => {
  const options = { ...withShop({ needs: LOCKED, storage: storage({ secret_in: "file" }) }) };
  const { user } = await openConnections({ ...options, secretFile: "locked", passphrase: "open sesame" });
  await user.click(screen.getByTestId("use-connection"));
  await user.click(screen.getByTestId("label-sign-in"));
  const dialog = within(screen.getByTestId("sign-in-dialog"));
  await user.type(await dialog.findByTestId("sign-in-secret"), "open barley{Enter}");
  await waitFor(() => expect(dialog.getByTestId("sign-in-secret").getAttribute("aria-invalid")).toBe("true"));
  await user.clear(dialog.getByTestId("sign-in-secret"));
  await user.type(dialog.getByTestId("sign-in-secret"), "open sesame{Enter}");
  await waitFor(() => expect(dialog.queryByTestId("sign-in-secret")).toBeNull());
  expect(screen.queryByTestId("label-sign-in")).toBeNull();
});

test("looking at another view loses nothing that was typed, and a language is changed at once", async () => {
  const { user } = await openForm();
  await user.type(screen.getByTestId("connection-name"), "Sh");
  await user.click(screen.getByTestId("nav-check"));
  await user.click(screen.getByTestId("nav-connections"));
  await user.click(screen.getByTestId("language-switch"));
  expect(screen.getByTestId<HTMLInputElement>("connection-name").value).toBe("Sh");
  expect(screen.getByTestId("save-connection").textContent).toContain("Verbindung speichern");
});
