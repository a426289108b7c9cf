// What a person is filling in about a connection. It lives as long as the form is open; the secrets in it no longer.

import { shortAddress } from "../../lib/format";
import type {
  Addressing,
  ApiError,
  Connection,
  ConnectionDraft,
  ObjectStorage,
  Profile,
  ProfileSource,
  PublicBy,
  SecretPlace,
  SecretPlaces,
  SecretSource,
} from "../../lib/generated/bindings";

/** Where the secret key comes from while none is typed. */
export type Origin =
  { from: "kept"; connection: string } | { from: "profile"; source: ProfileSource; name: string };

/** The fields that an error can be about. */
export type Field =
  | "name"
  | "endpoint"
  | "access_key"
  | "secret"
  | "bucket"
  | "region"
  | "panel"
  | "image_regions"
  | "passphrase";

/** By the beginning of the code; the longer beginnings first. */
const FIELD_OF: readonly [string, Field][] = [
  ["connection_name", "name"],
  ["connection_endpoint", "endpoint"],
  ["s3_endpoint", "endpoint"],
  ["connection_access_key", "access_key"],
  ["connection_secret", "secret"],
  ["secret_needed", "secret"],
  ["connection_bucket", "bucket"],
  ["s3_bucket", "bucket"],
  ["connection_region", "region"],
  ["connection_panel", "panel"],
  ["connection_image_region", "image_regions"],
  ["passphrase", "passphrase"],
];

/** The field that an error is about; null where it is about the whole. */
export function fieldOf(error: ApiError): Field | null {
  return FIELD_OF.find(([start]) => error.code.startsWith(start))?.[1] ?? null;
}

function problem(code: string): ApiError {
  return { code, params: {}, retryable: false };
}

/** Letters of a proposed bucket's end: base 32 of RFC 4648, so that each is one of five random bits. */
const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";
const LETTERS_OF_BUCKET = 12;

/** A name that no other bucket of the service has, and that says nothing of the person. */
export function proposedBucket(): string {
  const random = crypto.getRandomValues(new Uint8Array(LETTERS_OF_BUCKET));
  return `imagelotse-${Array.from(random, (byte) => LETTERS[byte % LETTERS.length]).join("")}`;
}

export class ConnectionForm {
  /** Null for a new connection. */
  readonly id: string | null;
  /** What the connection is called until it is saved anew; empty for a new one. */
  readonly title: string;
  name = $state("");
  endpoint = $state("");
  region = $state("");
  bucket = $state("");
  accessKey = $state("");
  addressing = $state<Addressing>("path");
  publicBy = $state<PublicBy>("acl");
  /** Null until it is known which places there are. */
  secretIn = $state<SecretPlace | null>(null);
  panel = $state("");
  /** One in each line. */
  imageRegions = $state("");
  origin = $state.raw<Origin | null>(null);
  places = $state.raw<SecretPlaces | null>(null);
  passphrase = $state("");
  passphraseAgain = $state("");
  /** What is wrong, and where it is to be shown. */
  error = $state.raw<ApiError | null>(null);
  #secret = $state("");
  /** Counts what was typed as secret, so that two states can be told apart without looking at it. */
  #secretTyped = $state(0);
  /** What the saved connection works with. */
  readonly #saved: string | null;

  constructor(connection: Connection | null = null) {
    const about = connection?.storage ?? null;
    this.id = connection?.id ?? null;
    this.title = connection?.name ?? "";
    if (connection && about) {
      this.#fill(about);
      if (connection.needs?.code !== "secret_needed")
        this.origin = { from: "kept", connection: connection.id };
    }
    this.#saved = this.origin ? this.tried : null;
  }

  get secret(): string {
    return this.#secret;
  }

  set secret(typed: string) {
    this.#secret = typed;
    this.#secretTyped += 1;
  }

  /** All that a test depends on, without the secret. */
  get tried(): string {
    const { endpoint, region, bucket, accessKey, addressing, publicBy, origin } = this;
    const parts = [endpoint, region, bucket, accessKey, addressing, publicBy, origin];
    return JSON.stringify([...parts, this.#secretTyped]);
  }

  /** Does it still work with what the saved connection works with? */
  get asSaved(): boolean {
    return this.tried === this.#saved;
  }

  /** Has the encrypted file to be opened or made before the secret can be kept in it, or read from it? */
  get asksPassphrase(): boolean {
    return this.secretIn === "file" && this.places !== null && this.places.file !== "unlocked";
  }

  learn(places: SecretPlaces): void {
    this.places = places;
    this.secretIn ??= places.keychain === null ? "keychain" : "ask";
  }

  /** Fills in what another program knows. What it does not know stays. */
  take(profile: Profile): void {
    this.endpoint = profile.endpoint === null ? this.endpoint : shortAddress(profile.endpoint);
    this.region = profile.region ?? this.region;
    this.accessKey = profile.access_key ?? this.accessKey;
    this.addressing = profile.addressing;
    this.name = this.name.trim() === "" ? profile.name : this.name;
    this.secret = "";
    this.origin = { from: "profile", source: profile.source, name: profile.name };
  }

  /** What is missing before it can be tried, or where `whole`, before it can be saved. */
  missing(whole: boolean): ApiError | null {
    if (whole && this.name.trim() === "") return problem("connection_name_empty");
    if (this.endpoint.trim() === "") return problem("connection_endpoint_empty");
    if (this.accessKey.trim() === "") return problem("connection_access_key_empty");
    if (this.#secret.trim() === "" && this.origin === null) return problem("connection_secret_empty");
    if (whole && this.bucket.trim() === "") return problem("connection_bucket_empty");
    if (!whole || !this.asksPassphrase) return null;
    if (this.passphrase === "") return problem("passphrase_needed");
    const differs = this.places?.file === "none" && this.passphrase !== this.passphraseAgain;
    return differs ? problem("passphrases_differ") : null;
  }

  draft(bucket = this.bucket): ConnectionDraft {
    const storage: ObjectStorage = {
      name: this.name.trim(),
      endpoint: this.endpoint.trim(),
      region: this.region.trim(),
      bucket: bucket.trim(),
      addressing: this.addressing,
      access_key: this.accessKey.trim(),
      public_by: this.publicBy,
      secret_in: this.secretIn ?? "ask",
      panel: this.panel.trim() === "" ? null : this.panel.trim(),
      image_regions: this.imageRegions
        .split("\n")
        .map((region) => region.trim())
        .filter((region) => region !== ""),
    };
    const typed: SecretSource = { from: "typed", secret: this.#secret };
    return { storage, secret: this.#secret === "" && this.origin ? this.origin : typed };
  }

  /** Leaves no secret behind. */
  clear(): void {
    this.#secret = "";
    this.passphrase = "";
    this.passphraseAgain = "";
  }

  #fill(about: ObjectStorage): void {
    this.name = about.name;
    this.endpoint = shortAddress(about.endpoint);
    this.region = about.region;
    this.bucket = about.bucket;
    this.accessKey = about.access_key;
    this.addressing = about.addressing;
    this.publicBy = about.public_by;
    this.secretIn = about.secret_in;
    this.panel = shortAddress(about.panel ?? "");
    this.imageRegions = about.image_regions.join("\n");
  }
}
