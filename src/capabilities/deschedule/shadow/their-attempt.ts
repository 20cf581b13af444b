// What the other descheduler did to a pod, wherever that was learnt.

export interface TheirAttempt {
  /** `namespace/name`. */
  readonly pod: string
  /** Absent: a log does not say. */
  readonly uid?: string
  /** Absent: nobody said. */
  readonly node?: string
  readonly profile?: string
  /** Absent: it gave a reason of its own instead, or the attempt failed. */
  readonly strategy?: string
  /** The server's words, where it was refused. */
  readonly failure?: string
}
