// What a real containerd said, as `test/real/mirror/store/record.ts` wrote it down: messages of the wire in base64.

export interface RecordedCall {
  readonly path: string
  readonly request: string
  readonly answers: readonly string[]
  /** gRPC's status, 0 for success. */
  readonly code: number
  readonly details: string
}

export interface RecordedMoment {
  readonly name: string
  /** Since the moment before, in their order. */
  readonly events: readonly string[]
  /** What was answered then, as far as it differs from the moment before. */
  readonly calls: readonly RecordedCall[]
}

export interface Recording {
  /** `1.6.20` */
  readonly containerd: string
  readonly command: string
  readonly image: {
    /** Without its tag. */
    readonly name: string
    readonly digest: string
    readonly manifest: string
    readonly config: string
    readonly layers: readonly string[]
    /** Manifest and configuration of another platform. */
    readonly others: readonly string[]
  }
  readonly contentRoot: string
  readonly moments: readonly RecordedMoment[]
}
