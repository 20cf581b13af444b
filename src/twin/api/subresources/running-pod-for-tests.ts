// A twin with one running pod, for tests of sessions with its container.
import { systemClock } from '#kube/clock.ts'
import { testNodes } from '../../components/cluster-for-tests.ts'
import { startTwin } from '../../twin.ts'

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'app:1', ports: [{ containerPort: 8080 }] }] },
}
const reader = (verbs: readonly string[]) => [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'r', namespace: 'default' },
    rules: [{ apiGroups: [''], resources: ['pods/exec', 'pods/attach', 'pods/portforward'], verbs }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'r', namespace: 'default' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
  },
]

/** Listens, with the pod `web` that runs; the default account may do `verbs` with sessions. */
export async function startedWithPod(
  verbs: readonly string[] = ['get', 'create'],
  kubernetesVersion = '1.36',
  { annotations = {}, container = {} } = {},
) {
  const running = {
    state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    name: 'main',
    image: 'app:1',
    imageID: '',
    ready: true,
    restartCount: 0,
  }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } }
  const objects = [
    ...testNodes(1),
    namespace,
    account,
    {
      ...pod,
      metadata: { ...pod.metadata, annotations },
      spec: { ...pod.spec, containers: pod.spec.containers.map(one => ({ ...one, ...container })) },
      status: { podIP: '10.0.0.7', phase: 'Running', containerStatuses: [running] },
    },
    ...reader(verbs),
  ]
  return await startTwin({ clock: systemClock, objects, components: false, listen: { port: 0 }, seed: 1, kubernetesVersion })
}
