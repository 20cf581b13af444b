// What a plan says of energy: which nodes could be off, what that would save, and why the others have to stay on.

/** Why a node stays on, in order of precedence. */
export type EnergyStayCode =
  | 'PowerDownNever'
  | 'ControlPlane'
  | 'NodeClaim'
  | 'NotReady'
  | 'GoalNeedsNode'
  | 'SavesNothing'
  | 'PodStays'
  | 'OutsideWindow'
  | 'OffTooShort'
  | 'TooFewNodes'
  | 'NoRoom'
  | 'NoReserve'
  | 'NoRoomToWake'
  | 'NoSafeOrder'
  | 'OthersSaveMore'

export interface EnergyStay {
  readonly code: EnergyStayCode
  /** Facts that its sentence needs. */
  readonly data: Readonly<Record<string, string>>
}

export interface EnergyNodeOutcome {
  readonly node: string
  /** `off`: it is off already. */
  readonly decision: 'power-down' | 'stays' | 'off'
  /** Why it stays on. */
  readonly stays?: EnergyStay
  /** What its pods take of its CPU now, in percent, and whether that was measured or is what they request. */
  readonly cpuPercent: number
  readonly by: 'usage' | 'requests'
  readonly watts: number
  readonly wattsAfter: number
  /** Pods that leave it beforehand. */
  readonly moves: number
}

export interface EnergyMove {
  /** `namespace/name`. */
  readonly pod: string
  readonly from: string
  readonly to: string
}

/** Nobody switches nodes yet: all of it is advice. */
export interface EnergyOutcome {
  readonly nodes: readonly EnergyNodeOutcome[]
  /** Sum over the nodes that the policy knows the watts of. */
  readonly watts: { readonly before: number; readonly after: number }
  /** In the order in which they are possible. */
  readonly moves: readonly EnergyMove[]
  /** `proven`: no other choice of nodes saves more. */
  readonly certainty: 'proven' | 'unproven'
  readonly warnings: readonly string[]
}
