// Who looks, and what may be shown and offered to them. Views ask it; it is made where requests come in.
import type { ActionName, Ref } from '../contract.ts'

export interface Viewing {
  /** Name of the viewer; `local` on a loopback port. */
  readonly viewer: string
  /** Whether there are actions at all. */
  readonly actions: boolean
  /** The same for all who see and may the same: what was computed for one serves the other. */
  readonly key: string
  /** `freeze` and `thaw` name their scope by `ref`. `because` is a whole sentence. */
  can(action: ActionName, ref?: Ref): { readonly allowed: boolean; readonly because: string | null }
  /** Whether pods of `namespace` may be named; undefined asks for all namespaces. */
  sees(namespace: string | undefined): boolean
  /** IANA name; undefined: the browser's. */
  readonly displayZone: string | undefined
}

/** The part of Ballast's books that somebody may see, beside what `viewing` says. */
export interface Sees {
  readonly viewing: Viewing
  readonly plans: boolean
  /** And the Events that tell of the same. */
  readonly permits: boolean
}

/** May all and sees all. */
export const everything: Viewing = {
  viewer: 'local',
  actions: true,
  key: 'everything',
  can: () => ({ allowed: true, because: null }),
  sees: () => true,
  displayZone: undefined,
}

/** Sees all and has no actions. */
export const readingOnly: Viewing = {
  ...everything,
  actions: false,
  key: 'reading-only',
  can: () => ({ allowed: false, because: 'Actions are switched off.' }),
}
