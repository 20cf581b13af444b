// A cluster that nobody has seen before, as YAML text, from a seed: a few nodes, one of them too full, workloads with budgets and owners.
import { stringify } from 'yaml'
import { seededRandom } from '#kube/random.ts'

interface Row {
  readonly name: string
  readonly kind: 'Deployment' | 'StatefulSet'
  readonly replicas: number
  readonly cpu: number
  readonly memory: number
  readonly node: string
  readonly owner: 'descheduler' | 'keda' | 'none' | undefined
  readonly budget: number | undefined
  readonly spreads: boolean
  readonly pinned: boolean
}

const uidOf = (text: string) => `00000000-0000-4000-8000-${Buffer.from(text).toString('hex').slice(-12).padStart(12, '0')}`

/** The text of `cluster.yaml` for a seed. Goals: the fullest node below what it has now, the emptiest above. */
export function freshCluster(seed: number): string {
  const random = seededRandom(seed * 7919)
  const pick = (low: number, high: number) => low + Math.floor(random() * (high - low + 1))
  const nodes = Array.from({ length: pick(3, 6) }, (_, index) => ({
    name: `node-${index}`,
    cpu: pick(8, 16) * 1000,
    memory: pick(16, 48) * 1024,
  }))
  const rows: Row[] = []
  const left = new Map(
    nodes.map((node, index) => [
      node.name,
      {
        cpu: node.cpu * (index === 0 ? 0.9 : index === 1 ? 0.1 : 0.45),
        memory: node.memory * (index === 0 ? 0.8 : index === 1 ? 0.15 : 0.4),
      },
    ]),
  )
  for (let index = 0; index < 40; index++) {
    const node = nodes[random() < 0.5 ? 0 : pick(0, nodes.length - 1)]
    if (node === undefined) continue
    const replicas = pick(1, 4)
    const cpu = pick(1, 12) * 50
    const memory = pick(1, 12) * 64
    const rest = left.get(node.name)
    if (rest === undefined || rest.cpu < cpu * replicas || rest.memory < memory * replicas) continue
    rest.cpu -= cpu * replicas
    rest.memory -= memory * replicas
    const chance = random()
    rows.push({
      name: `app-${index}`,
      kind: random() < 0.3 ? 'StatefulSet' : 'Deployment',
      replicas,
      cpu,
      memory,
      node: node.name,
      owner: chance < 0.7 ? 'descheduler' : chance < 0.8 ? 'keda' : chance < 0.9 ? 'none' : undefined,
      budget: random() < 0.9 ? (random() < 0.1 ? 0 : 1) : undefined,
      spreads: replicas > 1 && random() < 0.15,
      pinned: random() < 0.05,
    })
  }
  const fullest = nodes[0]
  const emptiest = nodes[1]
  if (fullest === undefined || emptiest === undefined) throw new Error('a fresh cluster has at least three nodes')
  const share = (name: string, cpu: number) =>
    Math.floor((100 * rows.filter(row => row.node === name).reduce((sum, row) => sum + row.cpu * row.replicas, 0)) / cpu)
  const objects: object[] = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'fresh' } },
    ...nodes.map(node => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: node.name, uid: uidOf(node.name), labels: { 'kubernetes.io/hostname': node.name } },
      status: {
        allocatable: { cpu: `${node.cpu}m`, memory: `${node.memory}Mi`, pods: '110' },
        capacity: { cpu: `${node.cpu}m`, memory: `${node.memory}Mi`, pods: '110' },
        conditions: [{ type: 'Ready', status: 'True' }],
        nodeInfo: { kubeletVersion: 'v1.34.1' },
      },
    })),
    ...rows.flatMap(objectsOf),
    {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'RebalancePolicy',
      metadata: { name: 'fresh' },
      spec: {
        trigger: 'manual',
        mode: 'Approve',
        objective: 'moves',
        coordination: { unlabelled: 'none', requirePDB: true, localStorage: 'refuse' },
        goals: [
          {
            name: 'lighter',
            nodes: [fullest.name],
            resource: 'cpu',
            max: Math.max(30, share(fullest.name, fullest.cpu) - pick(5, 25)),
          },
          {
            name: 'used',
            nodes: [emptiest.name],
            resource: 'cpu',
            min: Math.min(60, share(emptiest.name, emptiest.cpu) + pick(2, 15)),
          },
        ],
      },
    },
  ]
  return objects.map(object => stringify(object, { aliasDuplicateObjects: false })).join('---\n')
}

function objectsOf(row: Row): object[] {
  const labels = { app: row.name }
  const owner = uidOf(`${row.kind} ${row.name}`)
  const spec = {
    containers: [
      {
        name: 'main',
        image: `registry.example/${row.name}:1`,
        resources: { requests: { cpu: `${row.cpu}m`, memory: `${row.memory}Mi` } },
      },
    ],
    ...(row.pinned ? { nodeSelector: { 'kubernetes.io/hostname': row.node } } : {}),
    ...(row.spreads
      ? {
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 1, podAffinityTerm: { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' } },
              ],
            },
          },
        }
      : {}),
  }
  const set = uidOf(`ReplicaSet ${row.name}`)
  const workload = {
    apiVersion: 'apps/v1',
    kind: row.kind,
    metadata: {
      name: row.name,
      namespace: 'fresh',
      uid: owner,
      labels: { ...labels, ...(row.owner === undefined ? {} : { 'scaling.talos.io/managed-by': row.owner }) },
    },
    spec: {
      replicas: row.replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec },
      ...(row.kind === 'StatefulSet' ? { serviceName: row.name } : {}),
    },
  }
  const hashed = { ...labels, 'pod-template-hash': 'abcde' }
  const middle =
    row.kind === 'Deployment'
      ? [
          {
            apiVersion: 'apps/v1',
            kind: 'ReplicaSet',
            metadata: {
              name: `${row.name}-abcde`,
              namespace: 'fresh',
              uid: set,
              labels: hashed,
              ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: row.name, uid: owner, controller: true }],
            },
            spec: { replicas: row.replicas, selector: { matchLabels: hashed }, template: { metadata: { labels: hashed }, spec } },
          },
        ]
      : []
  const controller =
    row.kind === 'Deployment'
      ? { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${row.name}-abcde`, uid: set, controller: true }
      : { apiVersion: 'apps/v1', kind: 'StatefulSet', name: row.name, uid: owner, controller: true }
  const pods = Array.from({ length: row.replicas }, (_, index) => {
    const name = row.kind === 'Deployment' ? `${row.name}-abcde-${index}` : `${row.name}-${index}`
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'fresh',
        uid: uidOf(`pod ${name}`),
        labels: row.kind === 'Deployment' ? hashed : labels,
        ownerReferences: [controller],
      },
      spec: { ...spec, nodeName: row.node },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }
  })
  const budget =
    row.budget === undefined
      ? []
      : [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { name: row.name, namespace: 'fresh' },
            spec: { maxUnavailable: row.budget, selector: { matchLabels: labels } },
          },
        ]
  return [workload, ...middle, ...pods, ...budget]
}
