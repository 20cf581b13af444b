// Spegel as its chart 0.7.4 leaves it in a cluster.
import type { KubeObject } from '#kube/objects/objects.ts'

const labels = {
  'helm.sh/chart': 'spegel-0.7.4',
  'app.kubernetes.io/name': 'spegel',
  'app.kubernetes.io/instance': 'spegel',
  'app.kubernetes.io/version': 'v0.7.4',
  'app.kubernetes.io/managed-by': 'Helm',
  'app.kubernetes.io/component': 'spegel',
}
const annotations = { 'meta.helm.sh/release-name': 'spegel', 'meta.helm.sh/release-namespace': 'spegel' }
const selector = {
  'app.kubernetes.io/component': 'spegel',
  'app.kubernetes.io/name': 'spegel',
  'app.kubernetes.io/instance': 'spegel',
}
const image = 'ghcr.io/spegel-org/spegel:v0.7.4'

interface Told {
  readonly hostPort?: number | undefined
  readonly nodePort?: number
  readonly affinity?: object
  readonly labels?: object
}

export function spegelDaemonSet(
  { hostPort, nodePort = 30_021, affinity, labels: more = {} }: Told = { hostPort: 30_020 },
): KubeObject {
  const targets = [hostPort, nodePort].flatMap(port => (port === undefined ? [] : [`http://$(NODE_IP):${port}`]))
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'spegel', namespace: 'spegel', labels: { ...labels, ...more }, annotations },
    spec: {
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: {
          ...(affinity === undefined ? {} : { affinity }),
          priorityClassName: 'system-node-critical',
          tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
          initContainers: [
            {
              name: 'configuration',
              image,
              args: [
                'configuration',
                '--log-level=INFO',
                '--containerd-registry-config-path=/etc/cri/conf.d/hosts',
                '--mirrored-registries',
                'https://docker.io',
                'https://ghcr.io',
                '--mirror-targets',
                ...targets,
                '--resolve-tags=true',
                '--prepend-existing=false',
              ],
            },
          ],
          containers: [
            {
              name: 'registry',
              image,
              args: [
                'registry',
                '--log-level=INFO',
                '--mirror-resolve-retries=3',
                '--mirror-resolve-timeout=20ms',
                '--registry-addr=:5000',
                '--mirrored-registries',
                'https://docker.io',
                'https://ghcr.io',
                '--containerd-sock=/run/containerd/containerd.sock',
                '--containerd-namespace=k8s.io',
                '--data-dir=/var/lib/spegel',
              ],
              ports: [
                { name: 'registry', containerPort: 5000, ...(hostPort === undefined ? {} : { hostPort }), protocol: 'TCP' },
              ],
            },
          ],
          volumes: [{ name: 'spegel-data', hostPath: { path: '/var/lib/spegel', type: 'DirectoryOrCreate' } }],
        },
      },
    },
  }
}

export function spegelService(nodePort = 30_021): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'spegel-registry', namespace: 'spegel', labels, annotations },
    spec: {
      type: 'NodePort',
      selector,
      ports: [{ name: 'registry', port: 5000, targetPort: 'registry', nodePort, protocol: 'TCP' }],
    },
  }
}

/** By its name Spegel's pods find each other: it has no address and no ports, as upstream's chart makes it. */
export function spegelBootstrapService(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'spegel-bootstrap', namespace: 'spegel', labels, annotations },
    spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector },
  }
}
