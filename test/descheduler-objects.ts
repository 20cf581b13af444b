// Clusters and policies that tests of the drop-in descheduler share.
import type { KubeObject } from '#kube/objects/objects.ts'
import { node, smallWorkload } from './small-cluster.ts'

const shop: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } }

/** n1 is at 80 % of its CPU, n2 and n3 at 0. */
export const overfull: readonly KubeObject[] = [
  ...['n1', 'n2', 'n3'].map(node),
  shop,
  ...['a', 'b', 'c', 'd'].flatMap(name => smallWorkload({ name, cpu: '800m', on: ['n1'], hasBudget: false })),
]

/** A node that no pod of these clusters tolerates. */
export function tainted(name: string): KubeObject {
  return { ...node(name), spec: { taints: [{ key: 'gone', value: 'yes', effect: 'NoSchedule' }] } }
}

/** Nodes with so many small workloads of one pod each: `n1-0`, `n1-1`. */
export function cluster(nodes: readonly KubeObject[], pods: Readonly<Record<string, number>>): readonly KubeObject[] {
  const workloads = Object.entries(pods).flatMap(([on, count]) =>
    Array.from({ length: count }, (_, at) => ({ on, name: `${on}-${at}` })),
  )
  return [
    ...nodes,
    shop,
    ...workloads.flatMap(({ on, name }) => smallWorkload({ name, cpu: '100m', on: [on], hasBudget: false })),
  ]
}

type Plugins = Readonly<Record<string, object>>

/** A policy of one profile `default`: plugins by extension point, each with its args. */
export function policyOf(
  plugins: { readonly deschedule?: Plugins; readonly balance?: Plugins },
  { evictor }: { readonly evictor?: object } = {},
): Readonly<Record<string, unknown>> {
  const { deschedule = {}, balance = {} } = plugins
  const configured = [...Object.entries(deschedule), ...Object.entries(balance)].map(([name, args]) => ({ name, args }))
  return {
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    profiles: [
      {
        name: 'default',
        pluginConfig: [...(evictor === undefined ? [] : [{ name: 'DefaultEvictor', args: evictor }]), ...configured],
        plugins: {
          deschedule: { enabled: Object.keys(deschedule) },
          balance: { enabled: Object.keys(balance) },
        },
      },
    ],
  }
}
