// The ids by which button and panel of the uploads refer to each other.

export const TRANSFERS_BUTTON = "transfers-button";
export const TRANSFERS_PANEL = "transfers-panel";
