// A program played in the browser: the same answers in the same order as the real one, without a disk or a cloud.
// For `npm run dev` outside of Tauri and for the component tests.

import type {
  ApiError,
  CheckedFile,
  Connection,
  ConnectionDraft,
  ExportRequest,
  HandOver,
  Image,
  ImageList,
  Language,
  Profiles,
  SecretPlaces,
  Settings,
  StagingList,
  StagingObject,
  TestStep,
  TimeLeft,
  Upload,
  UploadRequest,
  UploadState,
} from "../generated/bindings";
import type { Backend, Unsubscribe } from "./backend";
import {
  FakeConnections,
  PRACTICE,
  objectStorage,
  storage,
  type FakeConnectionOptions,
} from "./fake-connections";
import { image, upload } from "./fake-data";
import { checkRichByName } from "./fake-rich";
import { handOver, keyOf, stagingObject } from "./fake-staging";

export type FakeOptions = FakeConnectionOptions & {
  /** What the file dialog answers. */
  choice?: string[];
  /** What the dialog for saving answers; null when it is closed. */
  place?: string | null;
  check?: (path: string) => CheckedFile | Promise<CheckedFile>;
  images?: Image[];
  uploads?: Upload[];
  /** What stands in object storages besides what the uploads put there. */
  staging?: StagingList;
  settings?: Settings;
  languages?: string[];
  /** Milliseconds that a check takes. */
  checkDelay?: number;
  /** Milliseconds between two steps of an upload; without it an upload only moves by `advance`. */
  uploadStep?: number;
  /** The time, for what is public for some days; without it the computer's own. */
  now?: () => Date;
};

const DAY = 86_400_000;
const STEPS = 40;
const AFTER_SENDING: Partial<Record<UploadState, UploadState>> = {
  queued: "checking",
  checking: "uploading",
  uploading: "verifying",
  verifying: "importing",
  importing: "done",
};

const FINAL: readonly UploadState[] = ["done", "cancelled"];
const STANDING: readonly UploadState[] = ["paused", "interrupted", "failed", "staged"];

/** As coarse as the program tells it. */
function timeLeft(bytes: number, bytesPerSecond: number): TimeLeft {
  const minutes = Math.round(bytes / bytesPerSecond / 60);
  return minutes < 90
    ? { unit: "minute", count: minutes }
    : { unit: "hour", count: Math.round(minutes / 60) };
}

function rejection(code: string): ApiError {
  return { code, params: {}, retryable: false };
}

export class FakeBackend implements Backend {
  readonly copied: string[] = [];
  readonly requests: UploadRequest[] = [];
  readonly saved: ExportRequest[] = [];
  readonly mailed: ExportRequest[] = [];
  readonly set: FakeConnections;
  /** Uploads of which the link was put into a mail. */
  readonly mailedHandOvers: string[] = [];
  /** Connections whose panel was opened. */
  readonly panels: string[] = [];
  #settings: Settings;
  #options: FakeOptions;
  #images: Image[];
  #uploads: Upload[];
  #staging: StagingList;
  #dropped = new Set<(paths: string[]) => void>();
  #dragging = new Set<(over: boolean) => void>();
  #listeners = new Set<(uploads: Upload[]) => void>();

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.set = new FakeConnections(options);
    this.#images = [...(options.images ?? [])];
    this.#uploads = [...(options.uploads ?? [])];
    this.#staging = options.staging ?? { objects: [], unreachable: [] };
    this.#settings = options.settings ?? {
      at_once: 1,
      bytes_per_second: null,
      hours: null,
      keep_awake: true,
      staging_days: 7,
    };
  }

  /** With the browser's own drag and drop, and everything at a pace that can be watched. */
  static inBrowser(): FakeBackend {
    const backend = new FakeBackend({
      checkDelay: 700,
      uploadStep: 150,
      testStep: 400,
      choice: ["/home/me/debian-12.qcow2"],
      connections: [PRACTICE, objectStorage({ storage: storage({ image_regions: ["north", "south"] }) })],
    });
    let depth = 0;
    const over = (change: number): void => {
      depth = Math.max(0, depth + change);
      backend.drag(depth > 0);
    };
    window.addEventListener("dragenter", () => over(1));
    window.addEventListener("dragleave", () => over(-1));
    window.addEventListener("dragover", (event) => event.preventDefault());
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      backend.drop([...(event.dataTransfer?.files ?? [])].map((file) => `/home/me/${file.name}`));
    });
    (window as { fake?: FakeBackend }).fake = backend;
    return backend;
  }

  drop(paths: string[]): void {
    this.#dropped.forEach((callback) => callback(paths));
  }

  drag(over: boolean): void {
    this.#dragging.forEach((callback) => callback(over));
  }

  /** Sets the whole list of uploads and tells it. */
  setUploads(uploads: Upload[]): void {
    this.#uploads = uploads;
    this.#tell();
  }

  setImages(images: Image[]): void {
    this.#images = images;
  }

  /** Moves an upload one step: a part of the bytes, or to the next phase. False when it can go no further. */
  advance(id: string): boolean {
    const old = this.#uploads.find((one) => one.id === id);
    const after = old && AFTER_SENDING[old.state];
    if (!old || !after) return false;
    const next = after === "done" && this.#storage(old) ? "staged" : after;
    const sending = old.state === "uploading" && old.acknowledged < old.total;
    const step = Math.ceil(old.total / STEPS);
    const acknowledged = sending ? Math.min(old.total, old.acknowledged + step) : old.acknowledged;
    const done = next === "done" && !sending;
    const made = done ? image({ id: `image-of-${id}`, ...old.details, size: old.total }) : null;
    if (made) this.#images = [...this.#images, made];
    this.#change(id, {
      acknowledged,
      state: sending ? "uploading" : next,
      bytes_per_second: sending ? step * 6 : null,
      time_left: sending ? timeLeft(old.total - acknowledged, step * 6) : null,
      image_id: made?.id ?? null,
      ...(next === "staged" && !sending ? this.#published() : {}),
    });
    return true;
  }

  async check(path: string): Promise<CheckedFile> {
    await this.#wait(this.#options.checkDelay);
    return (this.#options.check ?? checkRichByName)(path);
  }

  chooseFiles(): Promise<string[]> {
    return Promise.resolve(this.#options.choice ?? []);
  }

  saveReport(request: ExportRequest, _title: string): Promise<string | null> {
    const { place = "report" } = this.#options;
    if (place !== null) this.saved.push(request);
    return Promise.resolve(place);
  }

  mailReport(request: ExportRequest): Promise<void> {
    this.mailed.push(request);
    return Promise.resolve();
  }

  onFilesDropped(callback: (paths: string[]) => void): Unsubscribe {
    this.#dropped.add(callback);
    return () => this.#dropped.delete(callback);
  }

  onDragging(callback: (over: boolean) => void): Unsubscribe {
    this.#dragging.add(callback);
    return () => this.#dragging.delete(callback);
  }

  connections(): Promise<Connection[]> {
    return Promise.resolve(this.set.all);
  }

  async saveConnection(id: string | null, draft: ConnectionDraft): Promise<Connection> {
    await this.#wait();
    return this.set.save(id, draft);
  }

  async removeConnection(id: string, anyway: boolean): Promise<void> {
    await this.#wait();
    const running = this.#uploads.some((one) => one.connection === id && !FINAL.includes(one.state));
    if (running && !anyway) throw rejection("connection_in_use");
    this.set.remove(id);
  }

  testConnection(draft: ConnectionDraft, onStep: (step: TestStep) => void): Promise<TestStep[]> {
    return this.set.test(draft, onStep);
  }

  async buckets(draft: ConnectionDraft): Promise<string[]> {
    await this.#wait();
    return this.set.buckets(draft);
  }

  async createBucket(draft: ConnectionDraft): Promise<void> {
    await this.#wait();
    this.set.createBucket(draft);
  }

  profiles(): Promise<Profiles> {
    return Promise.resolve(this.set.profiles());
  }

  secretPlaces(): Promise<SecretPlaces> {
    return Promise.resolve(this.set.places());
  }

  async signIn(connection: string, secret: string): Promise<void> {
    await this.#wait();
    this.set.signIn(connection, secret);
    this.#goOn((one) => one.connection === connection);
  }

  async unlock(passphrase: string): Promise<void> {
    await this.#wait();
    this.set.unlock(passphrase);
    this.#goOn((one) => one.error?.code === "passphrase_needed");
  }

  startUpload(request: UploadRequest): Promise<Upload> {
    this.requests.push(request);
    const started = upload({
      id: `upload-${this.requests.length}`,
      connection: request.connection,
      source_name: request.path.split("/").at(-1) ?? request.path,
      details: request.details,
      state: "queued",
    });
    const ended = this.#uploads.filter((one) => FINAL.includes(one.state));
    const waiting = this.#uploads.filter((one) => !FINAL.includes(one.state));
    this.setUploads([...waiting, started, ...ended]);
    if (this.#options.uploadStep !== undefined) void this.#run(started.id);
    return Promise.resolve(started);
  }

  uploads(): Promise<Upload[]> {
    return Promise.resolve(this.#uploads);
  }

  onUploads(callback: (uploads: Upload[]) => void): Unsubscribe {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  cancelUpload(id: string): Promise<void> {
    return this.#move(id, (state) => !FINAL.includes(state), "cancelled");
  }

  cancelAllUploads(): Promise<void> {
    this.setUploads(
      this.#uploads.map((one) =>
        one.state === "done" || one.state === "staged" ? one : { ...one, state: "cancelled", error: null },
      ),
    );
    return Promise.resolve();
  }

  async resumeUpload(id: string): Promise<void> {
    await this.#move(id, (state) => !FINAL.includes(state), "uploading");
    if (this.#options.uploadStep !== undefined) void this.#run(id);
  }

  resumeAllUploads(): Promise<void> {
    this.#moveAll((state) => state === "paused" || state === "interrupted", "queued");
    return Promise.resolve();
  }

  pauseUpload(id: string): Promise<void> {
    return this.#move(id, (state) => ![...FINAL, ...STANDING, "importing"].includes(state), "paused");
  }

  pauseAllUploads(): Promise<void> {
    this.#moveAll((state) => ![...FINAL, ...STANDING, "importing"].includes(state), "paused");
    return Promise.resolve();
  }

  moveUpload(id: string, before: string): Promise<void> {
    const moved = this.#uploads.filter((one) => one.id === id);
    const others = this.#uploads.filter((one) => one.id !== id);
    const at = others.findIndex((one) => one.id === before);
    this.setUploads(at < 0 ? [...others, ...moved] : others.toSpliced(at, 0, ...moved));
    return Promise.resolve();
  }

  restartUpload(id: string): Promise<void> {
    this.#change(id, { state: "queued", acknowledged: 0, error: null });
    return Promise.resolve();
  }

  relocateUpload(id: string, path: string): Promise<void> {
    this.#change(id, { state: "queued", source_name: path.split("/").at(-1) ?? path, error: null });
    return Promise.resolve();
  }

  settings(): Promise<Settings> {
    return Promise.resolve(this.#settings);
  }

  saveSettings(settings: Settings): Promise<void> {
    if (settings.bytes_per_second !== null && settings.bytes_per_second < 1000) {
      return Promise.reject({ ...rejection("limit_too_slow"), params: { slowest_kb: "1" } });
    }
    this.#settings = settings;
    return Promise.resolve();
  }

  forgetUpload(id: string): Promise<void> {
    this.setUploads(this.#uploads.filter((one) => one.id !== id));
    return Promise.resolve();
  }

  images(connection: string): Promise<ImageList> {
    if (this.set.all.some(({ id, kind }) => id === connection && kind === "object_storage"))
      return Promise.reject(rejection("connection_without_images"));
    const total_size = this.#images.reduce((sum, one) => sum + (one.size ?? 0), 0);
    return Promise.resolve({ images: this.#images, total_size });
  }

  handOver(id: string): Promise<HandOver> {
    const staged = this.#staged(id);
    return staged
      ? Promise.resolve(handOver(staged, this.#storage(staged)))
      : Promise.reject(rejection("upload_unknown"));
  }

  importFinished(id: string): Promise<void> {
    if (!this.#staged(id)) return Promise.reject(rejection("upload_final"));
    this.#change(id, { state: "done", published: null, public_until: null });
    return Promise.resolve();
  }

  publishAgain(id: string): Promise<HandOver> {
    const staged = this.#staged(id);
    if (staged?.published === null) this.#change(id, { ...this.#published(), error: null });
    return this.handOver(id);
  }

  mailHandOver(id: string, _language: Language): Promise<void> {
    this.mailedHandOvers.push(id);
    return Promise.resolve();
  }

  openPanel(connection: string): Promise<void> {
    this.panels.push(connection);
    return Promise.resolve();
  }

  staging(): Promise<StagingList> {
    const mine = this.#uploads
      .filter(({ state }) => state === "staged")
      .map((one) =>
        stagingObject({
          connection: one.connection,
          key: keyOf(one),
          file_name: one.source_name,
          size: one.total,
          since: one.created,
          upload: one.id,
          public: one.published !== null,
          public_until: one.public_until,
        }),
      );
    return Promise.resolve({ ...this.#staging, objects: [...mine, ...this.#staging.objects] });
  }

  removeStaging(connection: string, key: string, uploadId: string | null): Promise<void> {
    const isIt = (object: StagingObject): boolean =>
      object.connection === connection &&
      object.key === key &&
      (object.kind.is === "open_upload" ? object.kind.upload_id : null) === uploadId;
    const object = this.#staging.objects.find(isIt);
    const running = this.#uploads.some(
      ({ id, state }) => id === object?.upload && ![...FINAL, "staged"].includes(state),
    );
    if (running) return Promise.reject(rejection("staging_in_use"));
    this.#staging = { ...this.#staging, objects: this.#staging.objects.filter((one) => !isIt(one)) };
    const staged = this.#uploads.find((one) => one.state === "staged" && keyOf(one) === key);
    if (staged) this.#change(staged.id, { state: "cancelled", published: null, public_until: null });
    return Promise.resolve();
  }

  copyText(text: string): Promise<void> {
    this.copied.push(text);
    return Promise.resolve();
  }

  languages(): readonly string[] {
    return this.#options.languages ?? navigator.languages;
  }

  #staged(id: string): Upload | undefined {
    return this.#uploads.find((one) => one.id === id && one.state === "staged");
  }

  /** The object storage to which an upload goes, if it goes to one. */
  #storage({ connection }: Upload): Connection | undefined {
    return this.set.all.find(({ id, kind }) => id === connection && kind === "object_storage");
  }

  #published(): Pick<Upload, "published" | "public_until"> {
    const now = this.#options.now?.() ?? new Date();
    const until = new Date(now.getTime() + this.#settings.staging_days * DAY);
    return { published: now.toISOString(), public_until: until.toISOString() };
  }

  async #run(id: string): Promise<void> {
    do {
      await this.#wait(this.#options.uploadStep);
    } while (this.advance(id));
  }

  /** What waited for somebody to sign in is in the queue again. */
  #goOn(waited: (upload: Upload) => boolean): void {
    this.setUploads(
      this.#uploads.map((one) =>
        one.state === "waiting_for_sign_in" && waited(one) ? { ...one, state: "queued", error: null } : one,
      ),
    );
  }

  #moveAll(from: (state: UploadState) => boolean, to: UploadState): void {
    this.setUploads(
      this.#uploads.map((one) => (from(one.state) ? { ...one, state: to, bytes_per_second: null } : one)),
    );
  }

  #move(id: string, from: (state: UploadState) => boolean, to: UploadState): Promise<void> {
    const old = this.#uploads.find((one) => one.id === id);
    if (!old || !from(old.state)) return Promise.reject(rejection("upload_final"));
    this.#change(id, { state: to, error: null, bytes_per_second: null });
    return Promise.resolve();
  }

  #change(id: string, more: Partial<Upload>): void {
    this.setUploads(this.#uploads.map((one) => (one.id === id ? { ...one, ...more } : one)));
  }

  #tell(): void {
    this.#listeners.forEach((callback) => callback(this.#uploads));
  }

  #wait(milliseconds = 0): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}
