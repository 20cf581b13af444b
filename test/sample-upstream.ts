// A cluster with the upstream of the worked example in it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { fencerFor } from './sample-capability/swap/fencer.ts'

const id = 'fencer'

/** In the place of a capability that this program has: the worked example is not registered in it. */
export const sampleUpstream = fencerFor('isolate')

const labels = { 'app.kubernetes.io/instance': id, 'app.kubernetes.io/name': id, 'helm.sh/chart': `${id}-1.0.0` }
const metadata = { name: id, namespace: 'fences', labels }
const selector = { 'app.kubernetes.io/name': id }

/** As its chart leaves it in a cluster. */
export const sampleInstallation = (args: readonly string[] = ['--logLevel=debug']): readonly KubeObject[] => [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name: `${id}-settings` }, data: { a: '1' } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: { serviceAccountName: id, containers: [{ name: id, image: 'registry.example/example/fencer:1.0.0', args }] },
      },
    },
  },
]
