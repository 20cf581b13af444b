// Dumps as nobody should hand them in: objects of every kind, of which most have something wrong somewhere, beside a few that are right.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import { testNodes } from '#twin/components/cluster-for-tests.ts'
import { testDeployment } from '#twin/twin-for-tests.ts'
import { hostileSamples } from './samples.ts'
import { jsonOf, pick, Raw, spoilt, type Tree, treeOf, withoutOne } from './values.ts'

const namespace = 'hostile'
const healthy = 'healthy'

/** What stands beside the hostile objects and must go on: nodes, and a Deployment of two pods that are not there yet. */
const right: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  // A workload may ask for 2,147,483,647 pods by right.
  {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'enough', namespace },
    spec: { hard: { pods: '60', 'count/jobs.batch': '40' } },
  },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: healthy } },
  ...testNodes(3),
  { ...testDeployment('well', 2), metadata: { name: 'well', namespace: healthy } },
]

/** Kinds that rule over others by right: a webhook that nobody answers, or a quota of none, stops a healthy workload in any cluster. */
const rulers: ReadonlySet<string> = new Set([
  'APIService',
  'LimitRange',
  'MutatingWebhookConfiguration',
  'ResourceQuota',
  'TwinClock',
  'TwinFault',
  'TwinStage',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
])

const samples = hostileSamples(namespace).filter(({ kind }) => !rulers.has(kind))

export interface HostileDump {
  /** A JSON list, as `kubectl get -o json` writes it. */
  readonly text: string
  /** The same items as values, for readers of objects: with null and what a file cannot say. */
  readonly items: readonly unknown[]
}

/** A dump with so many hostile objects. */
export function hostileDump(random: Random, count: number): HostileDump {
  const trees = Array.from({ length: count }, (_, index) => hostileObject(random, index))
  const items = [...trees, ...pickSome(random, oddItems), ...right.map(treeOf)].map(jsonOf)
  return {
    text: `{"apiVersion":"v1","kind":"List","items":[${items.join(',')}]}`,
    items: items.map((item): unknown => JSON.parse(item)),
  }
}

function hostileObject(random: Random, index: number): Tree {
  const sample = pick(random, samples)
  const uid = `hostile-${index}`
  const named = {
    ...sample,
    metadata: {
      ...sample.metadata,
      name: random() < 0.2 ? 'same' : `h${index}`,
      uid: random() < 0.1 ? 'hostile-0' : uid,
      ...(random() < 0.2 ? { ownerReferences: [ownerOf(random, index)] } : {}),
      ...(random() < 0.1 ? { deletionTimestamp: pick(random, ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', 'x']) } : {}),
    },
  }
  const tree = treeOf(named)
  const sort = random()
  if (sort < 0.3) return withoutOne(tree, random)
  return spoilt(tree, random, sort < 0.8 ? 1 : 3)
}

/** Itself, or the next one, which may name it in turn. */
function ownerOf(random: Random, index: number) {
  const other = random() < 0.3 ? index : index ^ 1
  return {
    apiVersion: pick(random, ['apps/v1', 'v1', 'none.example/v1']),
    kind: pick(random, ['ReplicaSet', 'Pod', 'Deployment', 'Nothing']),
    name: `h${other}`,
    uid: `hostile-${other}`,
    controller: random() < 0.8,
  }
}

/** What stands among the items of a list and is no object, or none that anybody knows. */
const oddItems: readonly Tree[] = [
  null,
  7,
  'pod',
  [],
  [[treeOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'in-a-list' } })]],
  ...[
    {},
    { apiVersion: 'v1', kind: 'List', items: null },
    { apiVersion: 'v1', kind: 'PodList', items: [null, { metadata: { name: 'x' } }] },
    { apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'List', items: [] }] },
    { apiVersion: 'v1', kind: 'PodList', items: { a: 1 } },
    { apiVersion: 'v1', kind: 'Pood', metadata: { name: 'a' } },
    { apiVersion: 'v9', kind: 'Pod', metadata: { name: 'a' } },
    { apiVersion: 1, kind: 'Pod', metadata: { name: 'a' } },
    { apiVersion: 'v1', kind: null, metadata: { name: 'a' } },
    { apiVersion: 'v1', kind: '__proto__', metadata: { name: '__proto__' } },
    { apiVersion: '/', kind: 'Pod', metadata: { name: 'a' } },
    { apiVersion: 'a/b/c', kind: 'Pod', metadata: { name: 'a' } },
    { apiVersion: 'no.example/v1', kind: 'Ünïcode', metadata: { name: 'a' } },
    { apiVersion: 'no.example/v1', kind: 'Thing', metadata: null },
    { apiVersion: 'v1', kind: 'Pod' },
    { apiVersion: 'v1', kind: 'Pod', metadata: null },
    { apiVersion: 'v1', kind: 'Pod', metadata: 'a' },
    { apiVersion: 'v1', kind: 'Pod', metadata: [] },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 7 } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: '' } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'only-a-name', namespace } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'nul\u0000', namespace: 'a/b' }, spec: {} },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x'.repeat(100_000), namespace }, spec: { containers: [] } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'spec-null', namespace }, spec: null, status: null },
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'future', creationTimestamp: '9999-12-31T23:59:59Z' } },
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'past', creationTimestamp: '0000-01-01T00:00:00Z' } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'bare', namespace, uid: 'bare' } },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'bare', namespace } },
    { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'bare', namespace }, spec: { template: null } },
    { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'bare', namespace }, spec: {} },
    { apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'Stage', metadata: null },
    { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'bare' } },
  ].map(treeOf),
  new Raw('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"twice","name":"twice"}}'),
]

function pickSome<T>(random: Random, from: readonly T[]): readonly T[] {
  return from.filter(() => random() < 0.3)
}
