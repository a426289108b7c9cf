// The connections of the fake backend: the same answers as the real program's, without a service. What is wrong with a
// draft is told by what stands in it, so that every case can be looked at: see `firstFailure`.

import type {
  ApiError,
  Connection,
  ConnectionDraft,
  ObjectStorage,
  Profile,
  Profiles,
  SecretFile,
  SecretPlaces,
  TestStep,
  TestStepKind,
} from "../generated/bindings";
import { TEST_STEPS } from "../../features/connections/trial.svelte";

export type FakeConnectionOptions = {
  connections?: Connection[];
  buckets?: string[];
  profiles?: Profiles;
  /** Why there is no keychain; null where there is one. */
  keychain?: ApiError | null;
  secretFile?: SecretFile;
  /** Of the encrypted file, where there is one. */
  passphrase?: string;
  /** Milliseconds between two steps of a test. */
  testStep?: number;
};

const LEAST_PASSPHRASE = 8;

export const PRACTICE: Connection = {
  id: "practice",
  kind: "practice",
  name: "",
  regions: ["practice-north", "practice-south"],
  storage: null,
  needs: null,
};

function problem(code: string, params: Record<string, string> = {}, retryable = false): ApiError {
  return { code, params, retryable };
}

export function storage(more: Partial<ObjectStorage> = {}): ObjectStorage {
  return {
    name: "Storage of the shop",
    endpoint: "s3.example.com",
    region: "us-east-1",
    bucket: "images",
    addressing: "path",
    access_key: "AKIDEXAMPLE",
    public_by: "acl",
    secret_in: "keychain",
    panel: null,
    image_regions: [],
    ...more,
  };
}

export function objectStorage(more: Partial<Connection> = {}): Connection {
  const about = more.storage ?? storage();
  return {
    id: "shop",
    kind: "object_storage",
    name: about.name,
    regions: about.image_regions,
    storage: about,
    needs: null,
    ...more,
  };
}

export function profile(more: Partial<Profile> = {}): Profile {
  return {
    source: "aws",
    name: "default",
    endpoint: "s3.example.com",
    region: "us-east-1",
    access_key: "AKIDPROFILE",
    addressing: "path",
    problem: null,
    ...more,
  };
}

const PROFILES: Profiles = {
  found: [
    profile(),
    profile({ name: "work", endpoint: null, problem: problem("profile_needs_sign_in", { name: "work" }) }),
    profile({ source: "rclone", name: "centron" }),
  ],
  unreadable: [],
};

export class FakeConnections {
  #all: Connection[];
  #options: FakeConnectionOptions;
  #buckets: string[];
  #file: SecretFile;
  #passphrase: string;
  /** By the connection's id. Private: no failing test shall print it. */
  #secrets = new Map<string, string>();

  constructor(options: FakeConnectionOptions) {
    this.#options = options;
    this.#all = [...(options.connections ?? [PRACTICE])];
    this.#buckets = [...(options.buckets ?? ["backups", "images"])];
    this.#file = options.secretFile ?? "none";
    this.#passphrase = options.passphrase ?? "";
  }

  get all(): Connection[] {
    return this.#all;
  }

  /** Was this secret given for this connection? */
  knows(id: string, secret: string): boolean {
    return this.#secrets.get(id) === secret;
  }

  save(id: string | null, draft: ConnectionDraft): Connection {
    if (id !== null && !this.#all.some((one) => one.id === id)) throw problem("connection_unknown");
    const { storage: about, secret } = draft;
    if (about.secret_in === "keychain" && this.#options.keychain) throw this.#options.keychain;
    const before = this.#all.find((one) => one.id === id)?.storage?.secret_in;
    const files = secret.from === "kept" ? [about.secret_in, before] : [about.secret_in];
    if (files.includes("file") && this.#file !== "unlocked") throw problem("passphrase_needed");
    const saved = objectStorage({ id: id ?? this.#newId(about.name), storage: about });
    if (secret.from === "typed") this.#secrets.set(saved.id, secret.secret);
    this.#all = id === null ? [...this.#all, saved] : this.#all.map((one) => (one.id === id ? saved : one));
    return saved;
  }

  remove(id: string): void {
    this.#secrets.delete(id);
    this.#all = this.#all.filter((one) => one.id !== id);
  }

  async test(draft: ConnectionDraft, onStep: (step: TestStep) => void): Promise<TestStep[]> {
    const [failing, error] = this.#firstFailure(draft) ?? [null, null];
    const steps: TestStep[] = [];
    for (const kind of TEST_STEPS) {
      const before = steps.some(({ outcome }) => outcome.result === "failed");
      const step: TestStep = before
        ? { kind, outcome: { result: "skipped" } }
        : kind === failing
          ? { kind, outcome: { result: "failed", error } }
          : { kind, outcome: { result: "passed", params: {} } };
      await new Promise((resolve) => setTimeout(resolve, this.#options.testStep ?? 0));
      steps.push(step);
      onStep(step);
    }
    return steps;
  }

  buckets(draft: ConnectionDraft): string[] {
    const failure = this.#firstFailure(draft);
    if (failure && failure[0] !== "bucket") throw failure[1];
    return [...this.#buckets].sort();
  }

  createBucket({ storage: { bucket } }: ConnectionDraft): void {
    if (bucket === "taken") throw problem("s3_bucket_taken", { bucket });
    if (!this.#buckets.includes(bucket)) this.#buckets.push(bucket);
  }

  profiles(): Profiles {
    return this.#options.profiles ?? PROFILES;
  }

  places(): SecretPlaces {
    return { keychain: this.#options.keychain ?? null, file: this.#file };
  }

  signIn(id: string, secret: string): void {
    this.#secrets.set(id, secret);
    this.#all = this.#all.map((one) => (one.id === id ? { ...one, needs: null } : one));
  }

  unlock(passphrase: string): void {
    if (passphrase.length < LEAST_PASSPHRASE)
      throw problem("passphrase_too_short", { least: String(LEAST_PASSPHRASE) });
    if (this.#file === "locked" && passphrase !== this.#passphrase) throw problem("passphrase_wrong");
    this.#passphrase = passphrase;
    this.#file = "unlocked";
    this.#all = this.#all.map((one) =>
      one.needs?.code === "passphrase_needed" ? { ...one, needs: null } : one,
    );
  }

  /** What stands in the draft says what is wrong with it. */
  #firstFailure({ storage: about, secret }: ConnectionDraft): [TestStepKind, ApiError] | null {
    const endpoint = about.endpoint;
    if (endpoint.includes("unknown")) return ["name", problem("s3_name_unknown", { host: endpoint }, true)];
    if (endpoint.includes("untrusted"))
      return ["reach", problem("s3_certificate", { reason: "UnknownIssuer" })];
    if (endpoint.includes("late")) return ["clock", problem("s3_clock_skew")];
    if (secret.from === "typed" && secret.secret === "wrong") return ["sign_in", problem("s3_signature")];
    if (!this.#buckets.includes(about.bucket))
      return ["bucket", problem("s3_no_such_bucket", { bucket: about.bucket })];
    if (about.bucket === "private" && about.public_by === "acl")
      return ["public_read", problem("s3_no_public_access")];
    return null;
  }

  #newId(name: string): string {
    const word = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-") || "storage";
    let id = word;
    for (let number = 2; this.#all.some((one) => one.id === id); number += 1) id = `${word}-${number}`;
    return id;
  }
}
