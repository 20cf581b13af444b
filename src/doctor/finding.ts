// What doctor may find: every id with its severity and area, and a finding as data.

export type Severity = 'info' | 'warn' | 'error'

export interface FindingKind {
  readonly severity: Severity
  /** What `ballast doctor AREA` names: one of doctor's own, or one that a capability brings. */
  readonly area: string
  /** What the check looks for, for whoever reads a list of checks. */
  readonly what: string
}

export const kind = (severity: Severity, area: string, what: string): FindingKind => ({ severity, area, what })

/** Ids stay as they are: people filter by them. Each has a heading in docs/doctor.md, those that capabilities bring as well. */
export const findingKinds = {
  'upstream-present': kind('info', 'upstreams', 'a program that Ballast knows is installed'),
  'double-duty': kind('error', 'upstreams', 'one job is done twice'),
  'lease-held': kind('info', 'upstreams', "an upstream's leader renews its Lease"),
  'api-service-unavailable': kind('error', 'apis', 'an API that another server answers is not available'),
  'api-service-orphan': kind('error', 'apis', 'an API points to a Service without ready endpoints'),
  'webhook-dead': kind('error', 'apis', 'a webhook that must answer has nobody behind it'),
  'crd-owner-helm': kind('warn', 'apis', 'uninstalling an upstream would delete a kind and all its objects'),
  'crd-stored-version': kind('error', 'apis', 'objects are stored in a version that is not served'),
  'crd-terminating': kind('error', 'apis', 'a kind is being deleted'),
  'finalizer-orphan': kind('error', 'leftovers', 'an object waits for somebody who is gone'),
  'stale-taints': kind('warn', 'leftovers', 'a taint or gate whose owner is gone'),
  'stale-labels': kind('warn', 'leftovers', 'labels whose owner is gone'),
  'rbac-missing': kind('error', 'rights', 'a right that an enabled capability, or the descheduler, needs is not granted'),
  'rbac-excess': kind('info', 'rights', 'a right is granted that no enabled capability needs'),
  'pdb-blocks': kind('warn', 'admission', 'a budget that allows no disruption at all'),
  'priority-blocks': kind('warn', 'admission', 'a priority class refuses pods, or keeps them from being moved'),
  'psa-blocks': kind('warn', 'admission', 'pod security refuses pods'),
  'quota-blocks': kind('warn', 'admission', 'a quota refuses pods'),
  'listeners-open': kind('info', 'network', 'every pod of the cluster reaches what Ballast listens on'),
  'version-skew': kind('warn', 'rights', 'parts of Ballast of versions that do not go together'),
  'value-dropped': kind('warn', 'values', 'a release has values that its chart does not know'),
  'flux-dangling-source': kind('error', 'repository', 'a source that is not there'),
  'flux-depends-missing': kind('error', 'repository', 'a dependency that is not there'),
  'flux-depends-cycle': kind('error', 'repository', 'dependencies that wait for each other'),
  'flux-both-chart-and-ref': kind('error', 'repository', 'a HelmRelease with chart and chartRef, or with neither'),
  'flux-unused-repository': kind('info', 'repository', 'a HelmRepository that nothing uses'),
  'flux-tag-range': kind('error', 'repository', 'a range of versions where a tag belongs'),
  'flux-mirror-deprecated': kind('warn', 'repository', 'a chart from a mirror that does not carry it any more'),
  'flux-remote-base-unpinned': kind('warn', 'repository', 'a remote base without a fixed version'),
  'helmfile-order': kind('warn', 'repository', 'a helmfile that installs in an order that does not work, or not well'),
  'file-unreadable': kind('warn', 'repository', 'a file that could not be read'),
  'file-skipped': kind('info', 'repository', 'a file that is not looked into'),
} as const satisfies Readonly<Record<string, FindingKind>>

export interface Finding {
  readonly id: string
  readonly severity: Severity
  readonly area: string
  /** `Deployment kube-system/reloader`, or a file with its line. */
  readonly object: string
  readonly message: string
  /** A command or a patch that mends it. */
  readonly fix: string
  /** Where it is explained. */
  readonly docs: string
  /** File of a repository: where to look. */
  readonly file?: string
  readonly line?: number
  /** Ballast's capability that it concerns, where it concerns one. */
  readonly capability?: string
}

interface FoundAt {
  readonly object: string
  readonly message: string
  readonly fix: string
  readonly file?: string
  readonly line?: number
  readonly capability?: string
}

/** Makes findings of these kinds, each with the severity and explanation of its id. */
export function findingsOf<Id extends string>(kinds: Readonly<Record<Id, FindingKind>>): (id: Id, found: FoundAt) => Finding {
  return (id, found) => {
    const { severity, area } = kinds[id]
    return { id, severity, area, ...found, docs: `docs/doctor.md#${id}` }
  }
}

/** A finding of doctor's own. */
export const finding = findingsOf(findingKinds)

const rank: Readonly<Record<Severity, number>> = { error: 0, warn: 1, info: 2 }

/** Errors first, then by id and object. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const key = ({ severity, id, object, message }: Finding) => `${rank[severity]} ${id} ${object} ${message}`
  return findings.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** Is `severity` at least as grave as `least`? */
export const isAtLeast = (severity: Severity, least: Severity) => rank[severity] <= rank[least]
