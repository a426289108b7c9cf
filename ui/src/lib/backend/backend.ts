// What the window can ask of the program. `tauri.ts` asks the real one, `fake.ts` plays it in a browser and in tests.
// Every promise is rejected with an `ApiError`.

import type {
  ApiError,
  CheckedFile,
  Connection,
  ConnectionDraft,
  ExportRequest,
  HandOver,
  ImageList,
  Language,
  Profiles,
  SecretPlaces,
  Settings,
  StagingList,
  TestStep,
  Upload,
  UploadRequest,
} from "../generated/bindings";

/** Ends a subscription. */
export type Unsubscribe = () => void;

export interface Backend {
  /** Reads the file and judges it; sends nothing. */
  check(path: string): Promise<CheckedFile>;
  /** Opens the system's file dialog under this title; an empty list when it was closed without a choice. */
  chooseFiles(title: string): Promise<string[]>;
  /** Asks for a place under this title and saves the report there; the file's name, or null when the dialog was closed. */
  saveReport(request: ExportRequest, title: string): Promise<string | null>;
  /** Opens a draft in the person's mail program. */
  mailReport(request: ExportRequest): Promise<void>;
  /** Files were dropped anywhere on the window. */
  onFilesDropped(callback: (paths: string[]) => void): Unsubscribe;
  /** Files are being dragged over the window (`true`), or no longer (`false`). */
  onDragging(callback: (over: boolean) => void): Unsubscribe;
  /** The practice cloud first, then what was set up. */
  connections(): Promise<Connection[]>;
  /** Keeps a new connection (`null`), or changes the one with this id. */
  saveConnection(id: string | null, draft: ConnectionDraft): Promise<Connection>;
  /** Removes a connection and its secret key; what is in its bucket stays. Refused while uploads of it have not ended, unless `anyway`. */
  removeConnection(id: string, anyway: boolean): Promise<void>;
  /** Tries a connection, tells each step as it ends, and answers with all eight. */
  testConnection(draft: ConnectionDraft, onStep: (step: TestStep) => void): Promise<TestStep[]>;
  /** The buckets that the draft's key may see. */
  buckets(draft: ConnectionDraft): Promise<string[]>;
  /** Makes the draft's bucket. */
  createBucket(draft: ConnectionDraft): Promise<void>;
  /** Reads the profiles of other programs, only when asked to. */
  profiles(): Promise<Profiles>;
  /** Where secrets can be kept on this computer. */
  secretPlaces(): Promise<SecretPlaces>;
  /** Gives a connection the secret key it needs. */
  signIn(connection: string, secret: string): Promise<void>;
  /** Unlocks the encrypted file of secrets, or makes it. */
  unlock(passphrase: string): Promise<void>;
  startUpload(request: UploadRequest): Promise<Upload>;
  /** What has not ended in the queue's order, then what has, the latest first. */
  uploads(): Promise<Upload[]>;
  /** The whole current list in the same order, at most ten times a second. */
  onUploads(callback: (uploads: Upload[]) => void): Unsubscribe;
  cancelUpload(id: string): Promise<void>;
  /** Cancels every upload that has not ended, also interrupted and failed ones. */
  cancelAllUploads(): Promise<void>;
  /** Goes on with what stands still; what waits is tried at once. */
  resumeUpload(id: string): Promise<void>;
  resumeAllUploads(): Promise<void>;
  /** Stops an upload until it is resumed; what has arrived stays. */
  pauseUpload(id: string): Promise<void>;
  pauseAllUploads(): Promise<void>;
  /** Puts an upload before another one in the queue. */
  moveUpload(id: string, before: string): Promise<void>;
  /** Sends a file that was changed from its beginning. */
  restartUpload(id: string): Promise<void>;
  /** Goes on with an upload whose file has another path now. */
  relocateUpload(id: string, path: string): Promise<void>;
  /** What was chosen for all uploads. */
  settings(): Promise<Settings>;
  /** Chooses for all uploads; holds at once. */
  saveSettings(settings: Settings): Promise<void>;
  /** Takes an upload that has come to its end off the list. */
  forgetUpload(id: string): Promise<void>;
  images(connection: string): Promise<ImageList>;
  /** All that the panel asks for when a staged image is imported. */
  handOver(id: string): Promise<HandOver>;
  /** The image is in ccloud³: removes the file from the object storage and ends the upload. */
  importFinished(id: string): Promise<void>;
  /** Makes the file readable again where it is not, and checks its address as a stranger would. */
  publishAgain(id: string): Promise<HandOver>;
  /** Opens a draft with the link in the person's mail program. */
  mailHandOver(id: string, language: Language): Promise<void>;
  /** Opens the control panel in the browser, at the address noted for the connection. */
  openPanel(connection: string): Promise<void>;
  /** Every staging object that still exists, of all connections. */
  staging(): Promise<StagingList>;
  /** Removes one: a whole object, or with `uploadId` the parts of an unfinished upload. */
  removeStaging(connection: string, key: string, uploadId: string | null): Promise<void>;
  copyText(text: string): Promise<void>;
  /** The languages the system prefers, best first, as BCP 47 tags. */
  languages(): readonly string[];
}

/** Makes an `ApiError` of whatever a promise was rejected with. */
export function asApiError(reason: unknown): ApiError {
  if (typeof reason === "object" && reason !== null && "code" in reason && typeof reason.code === "string") {
    const { code } = reason;
    const params = "params" in reason && typeof reason.params === "object" ? reason.params : null;
    return {
      code,
      params: (params ?? {}) as Record<string, string>,
      retryable: "retryable" in reason && reason.retryable === true,
    };
  }
  return { code: "internal", params: { detail: String(reason) }, retryable: false };
}
