// Names that are written on nodes: ours, and those of the projects whose rules are served unchanged.

export const capabilityName = 'readiness'

/** Keys that our own taint may have. Whatever the configuration says now, one of the others is of an earlier one, and goes. */
export const ownTaintKeys = [
  'ballast.dev/agent-not-ready',
  'startup-taint.cluster-autoscaler.kubernetes.io/ballast-agent-not-ready',
  'ignore-taint.cluster-autoscaler.kubernetes.io/ballast-agent-not-ready',
] as const
export type OwnTaintKey = (typeof ownTaintKeys)[number]

const ownKeys: ReadonlySet<string> = new Set(ownTaintKeys)

/** Whether a taint is ours, under whichever of our keys. */
export function isOwnTaint({ key }: { readonly key: string }): boolean {
  return ownKeys.has(key)
}

/** When our taint was taken off, RFC 3339: rules of mode bootstrap never hold the node again. */
export const releasedAnnotation = 'ballast.dev/readiness-released-at'
/** Rules that let the node go when their time was over, by name, separated by commas; each until it is met. */
export const timedOutAnnotation = 'ballast.dev/readiness-timed-out'
/** Digest of the files that were written to the node. */
export const mirrorConfigAnnotation = 'ballast.dev/mirror-config'

/** Upstream's finalizer on its rules. */
export const cleanupFinalizer = 'readiness.node.x-k8s.io/cleanup-taints'
export const bootstrapPrefix = 'readiness.k8s.io/bootstrap-completed-'

/** The annotation of a node that a rule of upstream's is done with: by the rule's UID; before v0.3 by its name. */
export function bootstrapAnnotations(rule: { readonly name: string; readonly uid: string }): {
  readonly current: string
  readonly old: string
} {
  return { current: `${bootstrapPrefix}${rule.uid}`, old: `${bootstrapPrefix}${rule.name}` }
}

export const nidhoggPrefix = 'nidhogg.uswitch.com'
export const firstTimeReadyAnnotation = 'nidhogg.uswitch.com/first-time-ready'

/** The condition that says which rules are over their time on a node: it was let go without them, or is held on. */
export const timedOutCondition = 'ballast.dev/ReadinessTimedOut'

/** The condition by which the agent's role tells that the mirror of its node serves. */
export const mirrorReadyCondition = 'ballast.dev/MirrorReady'
