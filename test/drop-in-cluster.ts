// The cluster on which the upstreams were recorded and on which Ballast is asked for the same: one node is full, a secret is read by
// several workloads, two VPAs wish for other sizes. Names of the loaded pods are the same in every run.
import type { KubeObject } from '#kube/objects/objects.ts'
import { node, type SmallWorkload, smallWorkload } from './small-cluster.ts'

/** Raised when the cluster changes: recordings of another revision do not count. */
export const dropInRevision = 2

const reads = (...secrets: string[]): Pick<SmallWorkload, 'annotations' | 'secrets'> => ({
  annotations: {
    'reloader.stakater.com/auto': 'true',
    'test.ballast.dev/reads': secrets.map(name => `secret/${name}`).join(','),
  },
  secrets,
})

const workloads: readonly SmallWorkload[] = [
  // On the full node.
  {
    name: 'web',
    cpu: '500m',
    on: ['n1', 'n1'],
    owner: 'descheduler',
    podAnnotations: { 'ballast.dev/twin-ready-after': '20s' },
    ...reads('keys', 'certs'),
  },
  { name: 'api', cpu: '400m', on: ['n1'], hasBudget: false, ...reads('keys') },
  { name: 'llm', cpu: '400m', on: ['n1'], hasBudget: false, ...reads('keys') },
  { name: 'pinned', cpu: '400m', on: ['n1'], owner: 'none', hasBudget: false, ...reads('keys') },
  { name: 'guarded', cpu: '400m', on: ['n1'], hasBudget: false, podAnnotations: { 'karpenter.sh/do-not-disrupt': 'true' } },
  { name: 'fresh', cpu: '250m', on: ['n1', 'n1'], owner: 'descheduler' },
  // Waits for requests at zero.
  { name: 'asleep', cpu: '100m', on: [], hasBudget: false, ...reads('keys') },
  // Sized wrongly.
  { name: 'cache', cpu: '100m', on: ['n2', 'n3'], hasBudget: false },
  { name: 'quiet', cpu: '100m', on: ['n2', 'n3'], owner: 'none', hasBudget: false },
  { name: 'idle', cpu: '300m', on: ['n2', 'n3'], hasBudget: false },
]

const scaledObject = (name: string): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace: 'shop', uid: `scaled-${name}` },
  spec: { scaleTargetRef: { name }, minReplicaCount: 0, triggers: [] },
})

const secret = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'shop', uid: `secret-${name}` },
  type: 'Opaque',
  data: { password: Buffer.from('old').toString('base64') },
})

/** What each VPA's recommender says, of the container `main`. */
export const recommendations: Readonly<
  Record<string, { readonly target: string; readonly lower: string; readonly upper: string }>
> = {
  cache: { target: '300m', lower: '250m', upper: '500m' },
  quiet: { target: '300m', lower: '250m', upper: '500m' },
  idle: { target: '100m', lower: '50m', upper: '200m' },
}

const autoscaler = ([name, cpu]: readonly [string, (typeof recommendations)[string]]): KubeObject => {
  const amount = (value: string) => ({ cpu: value, memory: '256Mi' })
  return {
    apiVersion: 'autoscaling.k8s.io/v1',
    kind: 'VerticalPodAutoscaler',
    metadata: { name, namespace: 'shop', uid: `vpa-${name}` },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      updatePolicy: { updateMode: 'Recreate' },
      resourcePolicy: { containerPolicies: [{ containerName: 'main', controlledResources: ['cpu'] }] },
    },
    status: {
      conditions: [{ type: 'RecommendationProvided', status: 'True', lastTransitionTime: '2026-03-01T00:00:00Z' }],
      recommendation: {
        containerRecommendations: [
          {
            containerName: 'main',
            target: amount(cpu.target),
            uncappedTarget: amount(cpu.target),
            lowerBound: amount(cpu.lower),
            upperBound: amount(cpu.upper),
          },
        ],
      },
    },
  }
}

/** All objects. One pod of `fresh` came ten minutes before `nowMs`: somebody replaced it. */
export function dropInCluster(nowMs: number): readonly KubeObject[] {
  const freshAt = new Date(nowMs - 600_000).toISOString().replace(/\.\d+Z$/, 'Z')
  const objects = [
    ...['n1', 'n2', 'n3', 'n4', 'n5'].map(node),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } },
    ...['keys', 'certs'].map(secret),
    ...workloads.flatMap(smallWorkload),
    ...['llm', 'asleep'].map(scaledObject),
    ...Object.entries(recommendations).map(autoscaler),
  ]
  return objects.map(object =>
    object.metadata.uid === 'pod-fresh-0' ? { ...object, metadata: { ...object.metadata, creationTimestamp: freshAt } } : object,
  )
}
