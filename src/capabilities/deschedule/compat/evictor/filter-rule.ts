// One rule of an evictor's `Filter`.
import type { PodState } from '#cluster/cluster-state.ts'

/** Upstream's text where the rule refuses. */
export type Refuse = (pod: PodState) => string | undefined

export interface Rule {
  readonly refusal: Refuse
  /** It looks at what pods of one shape have in common, and at nothing that the cycle changes. */
  readonly isOfShape: boolean
}

/** A rule on what pods of one shape have in common. */
export function refuse(isRefused: (pod: PodState) => boolean, text: string): Rule {
  return { refusal: pod => (isRefused(pod) ? text : undefined), isOfShape: true }
}
