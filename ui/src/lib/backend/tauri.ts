// The real program behind the window. The only file that knows of Tauri.

import { Channel, invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";

import type {
  CheckedFile,
  Connection,
  DragOver,
  DroppedFiles,
  HandOver,
  ImageList,
  Profiles,
  SecretPlaces,
  Settings,
  StagingList,
  TestStep,
  Upload,
} from "../generated/bindings";
import type { Backend, Unsubscribe } from "./backend";

function subscribe<Payload>(event: string, callback: (payload: Payload) => void): Unsubscribe {
  let ended = false;
  const listening = listen<Payload>(event, ({ payload }) => {
    if (!ended) callback(payload);
  });
  return () => {
    ended = true;
    void listening.then((unlisten) => unlisten());
  };
}

export const tauriBackend: Backend = {
  check: (path) => invoke<CheckedFile>("check_file", { path }),
  chooseFiles: (title) => invoke<string[]>("choose_files", { title }),
  saveReport: (request, title) => invoke<string | null>("save_report", { request, title }),
  mailReport: (request) => invoke<void>("mail_report", { request }),
  onFilesDropped: (callback) => subscribe<DroppedFiles>("files-dropped", ({ paths }) => callback(paths)),
  onDragging: (callback) => subscribe<DragOver>("drag-over", ({ over }) => callback(over)),
  connections: () => invoke<Connection[]>("connections"),
  saveConnection: (id, draft) => invoke<Connection>("save_connection", { id, draft }),
  removeConnection: (id, anyway) => invoke<void>("remove_connection", { id, anyway }),
  testConnection: (draft, onStep) =>
    invoke<TestStep[]>("test_connection", { draft, steps: new Channel<TestStep>(onStep) }),
  buckets: (draft) => invoke<string[]>("buckets", { draft }),
  createBucket: (draft) => invoke<void>("create_bucket", { draft }),
  profiles: () => invoke<Profiles>("profiles"),
  secretPlaces: () => invoke<SecretPlaces>("secret_places"),
  signIn: (connection, secret) => invoke<void>("sign_in", { connection, secret }),
  unlock: (passphrase) => invoke<void>("unlock", { passphrase }),
  startUpload: (request) => invoke<Upload>("start_upload", { request }),
  uploads: () => invoke<Upload[]>("uploads"),
  onUploads: (callback) => subscribe<Upload[]>("uploads", callback),
  cancelUpload: (id) => invoke<void>("cancel_upload", { id }),
  cancelAllUploads: () => invoke<void>("cancel_all_uploads"),
  resumeUpload: (id) => invoke<void>("resume_upload", { id }),
  resumeAllUploads: () => invoke<void>("resume_all_uploads"),
  pauseUpload: (id) => invoke<void>("pause_upload", { id }),
  pauseAllUploads: () => invoke<void>("pause_all_uploads"),
  moveUpload: (id, before) => invoke<void>("move_upload", { id, before }),
  restartUpload: (id) => invoke<void>("restart_upload", { id }),
  relocateUpload: (id, path) => invoke<void>("relocate_upload", { id, path }),
  settings: () => invoke<Settings>("settings"),
  saveSettings: (settings) => invoke<void>("save_settings", { settings }),
  forgetUpload: (id) => invoke<void>("forget_upload", { id }),
  images: (connection) => invoke<ImageList>("images", { connection }),
  handOver: (id) => invoke<HandOver>("hand_over", { id }),
  importFinished: (id) => invoke<void>("import_finished", { id }),
  publishAgain: (id) => invoke<HandOver>("publish_again", { id }),
  mailHandOver: (id, language) => invoke<void>("mail_hand_over", { id, language }),
  openPanel: (connection) => invoke<void>("open_panel", { connection }),
  staging: () => invoke<StagingList>("staging"),
  removeStaging: (connection, key, uploadId) => invoke<void>("remove_staging", { connection, key, uploadId }),
  copyText: (text) => navigator.clipboard.writeText(text),
  languages: () => navigator.languages,
};
