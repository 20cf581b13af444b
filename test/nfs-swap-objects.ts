// csi-driver-nfs as its chart 4.13.4 leaves it in a cluster.
import type { KubeObject } from '#kube/objects/objects.ts'

export const nfsNamespace = 'csi-nfs'
export const driver = 'nfs.csi.k8s.io'
const release = 'nfs'

const labels = {
  'app.kubernetes.io/instance': release,
  'app.kubernetes.io/managed-by': 'Helm',
  'app.kubernetes.io/name': 'csi-driver-nfs',
  'app.kubernetes.io/version': '4.13.4',
  'helm.sh/chart': 'csi-driver-nfs-4.13.4',
}
const annotations = { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': nfsNamespace }

const of = (apiVersion: string, kind: string, name: string, rest: object = {}, isNamespaced = true): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(isNamespaced ? { namespace: nfsNamespace } : {}), labels, annotations },
  ...rest,
})

const image = (name: string, version: string) => `registry.k8s.io/sig-storage/${name}:${version}`
const socket = { name: 'ADDRESS', value: '/csi/csi.sock' }
const sidecar = (name: string, version: string, args: readonly string[]) => ({
  name,
  image: image(name, version),
  args,
  env: [socket],
  volumeMounts: [{ name: 'socket-dir', mountPath: '/csi' }],
})
const liveness = (port: number) => ({
  name: 'liveness-probe',
  image: image('livenessprobe', 'v2.18.0'),
  args: ['--csi-address=/csi/csi.sock', '--probe-timeout=3s', `--http-endpoint=localhost:${port}`, '--v=2'],
})
const elected = ['--leader-election', `--leader-election-namespace=${nfsNamespace}`]

interface Told {
  readonly args?: readonly string[]
  readonly spec?: object
  readonly pod?: object
  readonly kubeletDir?: string
  readonly replicas?: number
}

const commonArgs = [
  '--v=5',
  '--nodeid=$(NODE_ID)',
  '--endpoint=$(CSI_ENDPOINT)',
  `--drivername=${driver}`,
  '--mount-permissions=0',
]

const driverContainer = (args: readonly string[], mounts: readonly object[]) => ({
  name: 'nfs',
  image: image('nfsplugin', 'v4.13.4'),
  args: [...commonArgs, ...args],
  env: [{ name: 'CSI_ENDPOINT', value: 'unix:///csi/csi.sock' }],
  securityContext: { privileged: true },
  volumeMounts: mounts,
})

const hostPod = (name: string) => ({
  hostNetwork: true,
  dnsPolicy: 'ClusterFirstWithHostNet',
  serviceAccountName: `${name}-sa`,
  priorityClassName: 'system-cluster-critical',
  nodeSelector: { 'kubernetes.io/os': 'linux' },
})

export function nodeSet({ args = [], spec = {}, pod = {}, kubeletDir = '/var/lib/kubelet' }: Told = {}): KubeObject {
  const app = { app: 'csi-nfs-node' }
  const path = (name: string, below: string) => ({ name, hostPath: { path: `${kubeletDir}/${below}` } })
  return of('apps/v1', 'DaemonSet', 'csi-nfs-node', {
    spec: {
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      selector: { matchLabels: app },
      ...spec,
      template: {
        metadata: { labels: { ...labels, ...app } },
        spec: {
          ...hostPod('csi-nfs-node'),
          tolerations: [{ operator: 'Exists' }],
          ...pod,
          containers: [
            liveness(29_653),
            sidecar('node-driver-registrar', 'v2.16.0', [
              '--v=2',
              '--csi-address=/csi/csi.sock',
              '--kubelet-registration-path=$(DRIVER_REG_SOCK_PATH)',
              '--timeout=60s',
              '--http-endpoint=localhost:19809',
            ]),
            driverContainer(args, [
              { name: 'pods-mount-dir', mountPath: `${kubeletDir}/pods`, mountPropagation: 'Bidirectional' },
            ]),
          ],
          volumes: [
            path('socket-dir', 'plugins/csi-nfsplugin'),
            path('pods-mount-dir', 'pods'),
            path('registration-dir', 'plugins_registry'),
          ],
        },
      },
    },
  })
}

export function controllerDeployment({ args = [], spec = {}, pod = {}, replicas = 1 }: Told = {}): KubeObject {
  const app = { app: 'csi-nfs-controller' }
  return of('apps/v1', 'Deployment', 'csi-nfs-controller', {
    spec: {
      replicas,
      revisionHistoryLimit: 10,
      selector: { matchLabels: app },
      strategy: { type: 'Recreate' },
      ...spec,
      template: {
        metadata: { labels: { ...labels, ...app } },
        spec: {
          ...hostPod('csi-nfs-controller'),
          ...pod,
          containers: [
            sidecar('csi-provisioner', 'v6.2.0', [
              '-v=2',
              '--csi-address=$(ADDRESS)',
              ...elected,
              '--extra-create-metadata=true',
              '--feature-gates=VolumeAttributesClass=false',
              '--timeout=1200s',
              '--retry-interval-max=30m',
            ]),
            sidecar('csi-resizer', 'v2.1.0', [
              '-csi-address=$(ADDRESS)',
              '-v=2',
              '-leader-election',
              `--leader-election-namespace=${nfsNamespace}`,
              '-handle-volume-inuse-error=false',
              '-feature-gates=VolumeAttributesClass=false',
            ]),
            sidecar('csi-snapshotter', 'v8.5.0', [
              '--v=2',
              '--csi-address=$(ADDRESS)',
              ...elected,
              '--timeout=1200s',
              '--retry-interval-max=30m',
            ]),
            liveness(29_652),
            driverContainer(
              [
                '--working-mount-dir=/tmp',
                '--default-ondelete-policy=delete',
                '--use-tar-command-in-snapshot=false',
                '--enable-snapshot-compression=true',
                ...args,
              ],
              [],
            ),
          ],
          volumes: [{ name: 'socket-dir', emptyDir: {} }],
        },
      },
    },
  })
}

export function snapshotController(): KubeObject {
  const app = { app: 'snapshot-controller' }
  return of('apps/v1', 'Deployment', 'snapshot-controller', {
    spec: {
      replicas: 1,
      selector: { matchLabels: app },
      template: {
        metadata: { labels: app },
        spec: {
          containers: [
            {
              name: 'snapshot-controller',
              image: image('snapshot-controller', 'v8.5.0'),
              args: ['--v=2', '--leader-election=true', `--leader-election-namespace=${nfsNamespace}`],
            },
          ],
        },
      },
    },
  })
}

export const csiDriver = (spec: object = {}): KubeObject => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: driver, labels: { 'app.kubernetes.io/managed-by': 'Helm' }, annotations },
  spec: { attachRequired: false, volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'File', ...spec },
})

export const slowClass: KubeObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'nfs-slow', labels, annotations },
  provisioner: driver,
  parameters: { server: 'candlekeep', share: '/kubernetes' },
  mountOptions: ['nfsvers=4.1', 'nconnect=16'],
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
  allowVolumeExpansion: true,
}

/** All of its release, with Helm's own record. */
export function nfsInstallation({
  node = {},
  controller = {},
  snapshots = false,
}: {
  readonly node?: Told
  readonly controller?: Told
  readonly snapshots?: boolean
} = {}): readonly KubeObject[] {
  const rbac = 'rbac.authorization.k8s.io/v1'
  const subjects = [{ kind: 'ServiceAccount', name: 'csi-nfs-controller-sa', namespace: nfsNamespace }]
  const bound = (name: string) => ({ subjects, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name } })
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: nfsNamespace } },
    of('v1', 'ServiceAccount', 'csi-nfs-controller-sa'),
    of('v1', 'ServiceAccount', 'csi-nfs-node-sa'),
    ...['nfs-external-provisioner-role', 'nfs-external-resizer-role'].map(name =>
      of(rbac, 'ClusterRole', name, { rules: [] }, false),
    ),
    of(rbac, 'ClusterRoleBinding', 'nfs-csi-provisioner-binding', bound('nfs-external-provisioner-role'), false),
    of(rbac, 'ClusterRoleBinding', 'nfs-csi-resizer-role', bound('nfs-external-resizer-role'), false),
    csiDriver(),
    slowClass,
    nodeSet(node),
    controllerDeployment(controller),
    ...(snapshots ? [snapshotController()] : []),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: `sh.helm.release.v1.${release}.v1`,
        namespace: nfsNamespace,
        labels: { owner: 'helm', name: release, status: 'deployed' },
      },
      type: 'helm.sh/release.v1',
    },
  ]
}
