// What one command of the twin's shell has open.

export interface ShellStreams {
  /** Pieces as they come; it ends where nothing is sent any more. */
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: (bytes: Uint8Array) => Promise<void>
  readonly stderr: (bytes: Uint8Array) => Promise<void>
}
