import "@testing-library/svelte/vitest";

import { configure } from "@testing-library/svelte";

// A busy machine is no fault of the page: what never comes is found all the same.
configure({ asyncUtilTimeout: 10_000 });

// jsdom knows `dialog`, but not its two modal methods. The focus trap itself is the web view's and is tried in the real window.
HTMLDialogElement.prototype.showModal = function showModal(this: HTMLDialogElement): void {
  this.open = true;
};
HTMLDialogElement.prototype.close = function close(this: HTMLDialogElement): void {
  this.open = false;
};
