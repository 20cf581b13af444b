// Fields in which the twin keeps other people's objects otherwise, each with its reason.
import type { StoredDifference } from './stored.ts'

interface AcceptedRow {
  readonly object: RegExp
  readonly field: RegExp
  /** What the real server has there; anything without it. */
  readonly real?: RegExp
  readonly why: string
}

// biome-ignore format: a table
const accepted: readonly AcceptedRow[] = [
  { object: /^CustomResourceDefinition /, field: /^(status|metadata\.managedFields\.kube-apiserver Update status)/, why: 'a definition is established in the twin at once, by the server itself' },
  { object: /^ResourceQuota /, field: /^metadata\.managedFields\.kube-(apiserver|controller-manager) Update status/, why: 'what is used is written in the twin by the controller alone, not by admission too' },
  { object: /^Deployment /, field: /^status\.conditions\[\*\]\.(message|reason)$/, real: /^(Created new replica set|NewReplicaSetCreated)/, why: 'whether the first status is written before or after the pods are counted is chance on the real server' },
]

export function isAccepted({ object, field, real }: StoredDifference): boolean {
  const isOf = (row: AcceptedRow) => row.object.test(object) && row.field.test(field)
  return accepted.some(row => isOf(row) && (row.real === undefined || row.real.test(String(real))))
}
