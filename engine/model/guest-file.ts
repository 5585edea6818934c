/** A file to lay into an instance before its services start. */
export type GuestFile = {
  /** Absolute path in the guest. */
  readonly path: string;
  readonly content: string;
  /** Octal text such as `0644`. */
  readonly mode: string;
  /** `user` or `user:group` of the image; root when absent. */
  readonly owner?: string;
  /** The service that is reloaded when the content changes. */
  readonly onChange?: string;
};
