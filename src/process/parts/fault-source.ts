// Faults that nobody caught and no part owns, as a process is told of them.

/** Where faults without an owner come from. Absent in embedded use: there the host process's own rules hold for them. */
export interface FaultSource {
  /** Until disposed of; one listener at a time is enough. */
  onUnowned(listener: (error: unknown) => void): Disposable
}
