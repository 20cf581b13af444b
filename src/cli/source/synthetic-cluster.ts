// A cluster out of nothing: nodes that are all alike, and Deployments that fill them.
import type { KubeObject } from '#kube/objects/objects.ts'

const podsOfDeployment = 30
const amounts = { cpu: '8', memory: '32Gi', 'ephemeral-storage': '100Gi', pods: '110' }

/** `nodes` nodes named `node-0` and so on, and Deployments `load-0` and so on of 30 pods each, the last of what is left. */
export function syntheticCluster({ nodes, pods }: { readonly nodes: number; readonly pods: number }): readonly KubeObject[] {
  return [
    ...Array.from({ length: nodes }, (_, index) => node(`node-${index}`)),
    ...Array.from({ length: Math.ceil(pods / podsOfDeployment) }, (_, index) =>
      deployment(`load-${index}`, Math.min(podsOfDeployment, pods - index * podsOfDeployment)),
    ),
  ]
}

function node(name: string): KubeObject {
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: {},
    status: { capacity: amounts, allocatable: amounts },
  }
}

function deployment(name: string, replicas: number): KubeObject {
  const labels = { app: name }
  const resources = { requests: { cpu: '100m', memory: '128Mi' } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default', labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'registry.example/load:1', resources }] } },
    },
  }
}
