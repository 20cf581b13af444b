// What a check and the process that visits its cluster say to each other, a line of JSON each.

/** Services of the add-on by what is wanted of them. */
export type Wanted = 'proxy' | 'scaler'

/** Names of the targets, which are those of their routes: one that is always awake, one that sleeps. */
export type Target = 'web' | 'sleepy'

export type Order =
  /** Pods that are ready, by Service, as a kube-proxy has them. */
  | { readonly kind: 'endpoints'; readonly of: Readonly<Record<Wanted, readonly string[]>> }
  /** Requests for what sleeps, over all pods that are ready. */
  | { readonly kind: 'burst'; readonly count: number }
  /** Requests for what is awake, and the scaler's numbers, from now on. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'get'; readonly id: number; readonly url: string; readonly token?: string }
  | { readonly kind: 'health'; readonly id: number; readonly address: string }

/** One request of a client. */
export interface Asked {
  readonly kind: 'asked'
  readonly target: Target
  /** The pod that was chosen. */
  readonly address: string
  readonly startedMs: number
  readonly endedMs: number
  /** `200`, another status, or what went wrong. */
  readonly outcome: string
}

/** What the scaler said of both targets, as KEDA asks it. */
export interface Scaled {
  readonly kind: 'scaled'
  readonly atMs: number
  readonly address: string
  readonly answers?: Readonly<Record<Target, { readonly isActive: boolean; readonly value: number }>>
  readonly error?: string
}

export type Told =
  | Asked
  | Scaled
  | { readonly kind: 'replied'; readonly id: number; readonly status: number; readonly body: string }

export const ports = { proxy: 8_080, admin: 9_090, scaler: 9_090, target: 9_000 } as const
