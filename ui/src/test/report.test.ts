// The report: the gravest first, each cause once, nothing harmless that is not, and much of it still readable.

import { screen, within } from "@testing-library/svelte";
import { expect, test } from "vitest";

import { outlook, sections } from "../features/report/sections";
import { goodReport } from "../lib/backend/fake-data";
import { breakingReport, richReport } from "../lib/backend/fake-rich";
import { openReport } from "./window";

const RICH = "/home/me/old-server.qcow2";

function headings(): string[] {
  const found = [...screen.getByTestId("file-card").querySelectorAll('[data-testid^="section-"]')];
  return found.map((section) => (section as HTMLElement).dataset["testid"] ?? "");
}

test("what ccloud³ refuses comes first, then what breaks the VM, what may, and what could not be judged", async () => {
  await openReport({}, RICH);
  expect(headings()).toEqual(["section-unmet", "section-breaking", "section-warnings", "section-unknown"]);
  const order = screen.getAllByTestId(/^finding-/).map((item) => item.dataset["testid"]);
  expect(new Set(order).size, "each finding once").toBe(order.length);
  expect(order.length, "and none left out").toBe(richReport("x").findings.length);
});

test("the numbers below the verdict lead to their sections", async () => {
  const { user } = await openReport({}, RICH);
  expect(screen.getByTestId("count-unmet").textContent.trim()).toBe("2 not met");
  await user.click(screen.getByTestId("count-unknown"));
  expect(document.activeElement?.textContent).toBe("This could not be judged");
  await user.click(screen.getByTestId("count-passed"));
  expect(screen.getByTestId<HTMLDetailsElement>("passed").open).toBe(true);
});

test("one cause of many unknowns is told once and names them all", async () => {
  await openReport({}, RICH);
  const group = screen.getByTestId("unknown-group");
  expect(within(group).getByRole("heading", { level: 4 }).textContent).toContain("7 checks");
  expect(within(group).getAllByTestId(/^finding-/)).toHaveLength(7);
  expect(within(group).getByText("Required by ccloud³"), "who asks for them").toBeDefined();
  expect(screen.getByTestId("finding-swap").closest('[data-testid="unknown-group"]')).toBeNull();
});

test("a disk that cannot be read at all is told once", async () => {
  await openReport({}, "/home/me/other.vhdx");
  expect(screen.getAllByTestId("unknown-group")).toHaveLength(1);
});

test("what fails stands there in full, what may matter is folded and opens by its title", async () => {
  const { user } = await openReport({}, RICH);
  const fold = (code: string) => within(screen.getByTestId(`finding-${code}`)).getAllByRole("button")[0]!;
  expect(fold("sshd_enabled").getAttribute("aria-expanded")).toBe("true");
  const title = fold("datasource_order");
  expect(title.getAttribute("aria-expanded")).toBe("false");
  title.focus();
  await user.keyboard("{Enter}");
  expect(title.getAttribute("aria-expanded")).toBe("true");
  const body = document.getElementById(title.getAttribute("aria-controls") ?? "");
  expect(body?.hidden).toBe(false);
  expect(body?.textContent).toContain("/etc/cloud/cloud.cfg.d/90_dpkg.cfg:2");
  expect(within(body!).getByText("Why it matters").closest("details")?.open).toBe(false);
});

test("few findings are all unfolded", async () => {
  await openReport({}, "/home/me/ubuntu.img");
  const [fold] = within(screen.getByTestId("finding-datasource_order")).getAllByRole("button");
  expect(fold?.getAttribute("aria-expanded")).toBe("true");
});

test("thirty places are three and a fold", async () => {
  await openReport({}, RICH);
  const finding = screen.getByTestId("finding-private_keys");
  const fold = within(finding).getByText("27 more places").closest("details");
  expect(fold?.open).toBe(false);
  expect(finding.querySelectorAll(".where > ul > li")).toHaveLength(3);
  expect(fold?.querySelectorAll("li")).toHaveLength(27);
});

test("requirement and advice, certain and possible can be told apart", async () => {
  await openReport({}, RICH);
  const order = screen.getByTestId("finding-datasource_order").textContent;
  expect(order).toContain("Required by ccloud³");
  expect(order).toContain("Warning, likely");
  const mounts = screen.getByTestId("finding-mounts").textContent;
  expect(mounts).toContain("Advice");
  expect(mounts).toContain("Warning, possible");
  const kernel = screen.getByTestId("finding-kernel").textContent;
  expect(kernel, "nobody asked for it, so it is not unmet").not.toContain("Not met");
  expect(screen.getByTestId("finding-sshd_enabled").textContent).not.toContain("likely");
});

test("an image that is accepted and would not start does not look harmless", async () => {
  const { backend, user } = await openReport({}, "/home/me/no-kernel.qcow2");
  const verdict = screen.getByTestId("verdict");
  expect(verdict.dataset).toMatchObject({
    verdict: "ready_with_warnings",
    outlook: "ready_with_warnings_failing",
  });
  expect(verdict.textContent).toContain("would not start");
  await user.click(screen.getByTestId("upload-button"));
  await user.click(await screen.findByTestId("question-no"));
  expect(backend.requests, "sent only after an express yes").toHaveLength(0);
});

test("an advice that fails is never hidden by the verdict's own words", () => {
  const failing = breakingReport("x");
  expect(outlook(failing)).toBe("ready_with_warnings_failing");
  expect(outlook({ ...failing, verdict: "unknown" })).toBe("unknown_failing");
  expect(outlook({ ...failing, verdict: "will_not_work" })).toBe("will_not_work");
  expect(outlook(goodReport("x"))).toBe("ready");
});

test("only what has the same cause becomes one", () => {
  const unknown = sections(richReport("x")).find(({ name }) => name === "unknown");
  expect(unknown?.count).toBe(8);
  expect(unknown?.groups.map(({ findings }) => findings.length)).toEqual([7, 1]);
});

test("a remedy that mends two things is told once", async () => {
  const report = richReport("x");
  const { remedy } = report.findings.find(({ code }) => code === "sshd_enabled")!;
  const findings = report.findings.map((finding) =>
    finding.code === "firewall" ? { ...finding, remedy } : finding,
  );
  const check = (path: string) => ({
    path,
    report: { ...report, findings },
    suggested: { name: "x", distribution: "debian" as const },
  });
  await openReport({ check });
  expect(screen.getAllByText("systemctl enable ssh.service")).toHaveLength(1);
  expect(screen.getByTestId("finding-firewall").textContent).toContain("as for “Remote access starts");
});

test("who can log in is told, also when nobody can", async () => {
  await openReport();
  expect(screen.getByTestId("fact-login").textContent).toBe("debian");
});

test.each([
  [{ user: null, root: true }, "root"],
  [{ user: null, root: false }, "Nobody can log in"],
  [null, "Not known"],
])("a login of %j reads %s", async (login, words) => {
  const check = (path: string) => ({
    path,
    report: { ...goodReport("x"), login },
    suggested: { name: "x", distribution: "debian" as const },
  });
  await openReport({ check });
  expect(screen.getByTestId("fact-login").textContent.trim()).toBe(words);
});
