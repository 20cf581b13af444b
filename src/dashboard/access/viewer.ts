// Who looks: a name, whose rights writes are made with, and when it ends.
import type { Api } from '#kube/client/api.ts'
import type { WholeAnswer } from '../http/answer.ts'
import type { Asked } from '../http/asked.ts'
import type { ViewerRights } from './rights.ts'

export interface Viewer {
  /** What annotations and events say: `local`, `jane@example.org`. */
  readonly name: string
  readonly groups: readonly string[]
  /** The same for each request of one session: limits and repeated writes go by it. Says nothing to anybody. */
  readonly id: string
  readonly rights: ViewerRights
  /** Everything that the process sees may be read: nobody else reaches this port. */
  readonly isReadingAll: boolean
  /** What writes are made with. */
  readonly api: Api
  /** `api` speaks for Ballast, not for the viewer: nothing is written that a review has not allowed. */
  readonly isSpokenFor: boolean
  /** Aborted when the session is over; undefined: it has no end. */
  readonly ended: AbortSignal | undefined
  /** Whether whoever this was still is: asked of a stream now and then. */
  readonly stillIs: () => Promise<boolean>
}

export type Admission =
  | { readonly kind: 'viewer'; readonly viewer: Viewer }
  /** Nobody we know; a page shows how to sign in. */
  | { readonly kind: 'refused'; readonly refusal: WholeAnswer; readonly canSignIn: boolean }
  /** First this: a cookie, a redirect. */
  | { readonly kind: 'answer'; readonly answer: WholeAnswer }

/** One way to tell viewers apart. */
export interface Door {
  admit(asked: Asked): Promise<Admission>
}
