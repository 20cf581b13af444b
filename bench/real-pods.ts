// Pods as a real cluster's API server sends them (kube-machinery.md §6.2): 7.8 KB, two containers, a token volume and addresses of their
// own, each with its own identity and times; of 3,000 apps in 300 namespaces on 5,000 nodes.
import type { KubeObject } from '#kube/objects/objects.ts'

const apps = 3_000
const nodes = 5_000
const namespaces = 300
const firstMs = Date.UTC(2026, 2, 2)

const hex = (value: number, length: number) => value.toString(16).padStart(length, '0').slice(-length)
/** Mixes its bits, so that neighbours look as different as what is drawn. */
const mixed = (value: number) => (Math.imul(value ^ 0x9e3779b9, 0x85ebca6b) ^ (value >>> 3)) >>> 0
const uuid = (value: number) => {
  const [a, b, c] = [mixed(value), mixed(value + 0x10001), mixed(value * 7 + 3)]
  return `${hex(a, 8)}-${hex(b >>> 16, 4)}-4${hex(b, 3)}-a${hex(c >>> 20, 3)}-${hex(c, 6)}${hex(a ^ b, 6)}`
}
const timeAt = (value: number, seconds: number) =>
  `${new Date(firstMs + (mixed(value) % 2_592_000) * 1000 + seconds * 1000).toISOString().slice(0, 19)}Z`

/** Pod number `index`, at `version`; `isReady` is what its conditions say. */
export function realPod(index: number, version: number, isReady = true): KubeObject {
  const appNumber = index % apps
  const app = `service-${appNumber}`
  const hash = hex(mixed(appNumber), 8)
  const suffix = mixed(index).toString(36).padStart(5, 'x').slice(-5)
  const token = `kube-api-access-${mixed(index + 77)
    .toString(36)
    .padStart(5, 'q')
    .slice(-5)}`
  const at = (seconds: number) => timeAt(index, seconds)
  const ip = `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
  const mounts = [
    { name: 'config', readOnly: true, mountPath: '/etc/app' },
    { name: token, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
  ]
  const names = ['app', 'envoy']
  const image = (name: string) => `registry.internal.example/platform/${name === 'app' ? app : 'envoy'}:v1.${appNumber % 40}.2`
  const labels = {
    app,
    'app.kubernetes.io/instance': app,
    'app.kubernetes.io/managed-by': 'Helm',
    'app.kubernetes.io/name': app,
    'app.kubernetes.io/part-of': 'platform',
    'helm.sh/chart': 'service-3.2.1',
    'pod-template-hash': hash,
  }
  const annotations = {
    'checksum/config': `${hex(mixed(appNumber), 8)}`.repeat(8),
    'checksum/secret': `${hex(mixed(appNumber + 5), 8)}`.repeat(8),
    'prometheus.io/port': '9102',
    'prometheus.io/scrape': 'true',
  }
  const owned = (keys: readonly string[], inner: object = {}) => Object.fromEntries(keys.map(name => [`f:${name}`, inner]))
  const probe = (path: string) => ({
    httpGet: { path, port: 8080, scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  })
  const conditions = (
    [
      ['PodReadyToStartContainers', 2],
      ['Initialized', 0],
      ['Ready', 9],
      ['ContainersReady', 9],
      ['PodScheduled', 0],
    ] as const
  ).map(([type, seconds]) => ({
    type,
    status: isReady || !type.endsWith('Ready') ? 'True' : 'False',
    lastProbeTime: null,
    lastTransitionTime: at(seconds),
  }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${app}-${hash}-${suffix}`,
      generateName: `${app}-${hash}-`,
      namespace: `team-${appNumber % namespaces}`,
      uid: uuid(index),
      resourceVersion: String(version),
      creationTimestamp: at(0),
      labels,
      annotations,
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-${hash}`,
          uid: uuid(appNumber + 1e7),
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          time: at(0),
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:metadata': {
              'f:annotations': { '.': {}, ...owned(Object.keys(annotations)) },
              'f:generateName': {},
              'f:labels': { '.': {}, ...owned(Object.keys(labels)) },
              'f:ownerReferences': { '.': {}, [`k:{"uid":"${uuid(appNumber + 1e7)}"}`]: {} },
            },
            'f:spec': {
              'f:containers': Object.fromEntries(
                names.map(name => [
                  `k:{"name":"${name}"}`,
                  {
                    '.': {},
                    ...owned(['image', 'imagePullPolicy', 'livenessProbe', 'name', 'ports', 'readinessProbe', 'resources']),
                  },
                ]),
              ),
              ...owned([
                'dnsPolicy',
                'enableServiceLinks',
                'restartPolicy',
                'schedulerName',
                'securityContext',
                'serviceAccountName',
                'volumes',
              ]),
            },
          },
        },
        {
          manager: 'kubelet',
          operation: 'Update',
          apiVersion: 'v1',
          time: at(9),
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:status': {
              'f:conditions': Object.fromEntries(
                conditions.map(({ type }) => [
                  `k:{"type":"${type}"}`,
                  { '.': {}, 'f:lastProbeTime': {}, 'f:lastTransitionTime': {}, 'f:status': {}, 'f:type': {} },
                ]),
              ),
              ...owned(['containerStatuses', 'hostIP', 'phase', 'podIP', 'startTime']),
              'f:podIPs': { '.': {}, [`k:{"ip":"${ip}"}`]: { '.': {}, 'f:ip': {} } },
            },
          },
          subresource: 'status',
        },
      ],
    },
    spec: {
      volumes: [
        { name: 'config', configMap: { name: app, defaultMode: 420 } },
        {
          name: token,
          projected: {
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
              {
                downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] },
              },
            ],
            defaultMode: 420,
          },
        },
      ],
      containers: names.map(name => ({
        name,
        image: image(name),
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: [
          { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
          { name: 'LOG_LEVEL', value: 'info' },
        ],
        resources: {
          limits: { memory: '256Mi' },
          requests: { cpu: `${50 + (appNumber % 10) * 25}m`, memory: '128Mi' },
        },
        volumeMounts: mounts,
        livenessProbe: probe('/live'),
        readinessProbe: probe('/ready'),
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent',
      })),
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: app,
      serviceAccount: app,
      nodeName: `node-${mixed(index) % nodes}`,
      securityContext: { runAsNonRoot: true },
      schedulerName: 'default-scheduler',
      tolerations: ['not-ready', 'unreachable'].map(name => ({
        key: `node.kubernetes.io/${name}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: {
      phase: 'Running',
      conditions,
      hostIP: `10.0.${(mixed(index) % nodes) >> 8}.${(mixed(index) % nodes) & 255}`,
      podIP: ip,
      podIPs: [{ ip }],
      startTime: at(0),
      containerStatuses: names.map(name => ({
        name,
        state: { running: { startedAt: at(4) } },
        lastState: {},
        ready: isReady,
        restartCount: 0,
        image: image(name),
        imageID: `registry.internal.example/platform/${name}@sha256:${hex(mixed(appNumber), 8).repeat(8)}`,
        containerID: `containerd://${hex(mixed(index), 8).repeat(8)}`,
        started: true,
        volumeMounts: mounts.map(mount => ({ ...mount, recursiveReadOnly: 'Disabled' })),
      })),
      qosClass: 'Burstable',
    },
  }
}

/** Without its kind, as items of lists are. */
export function itemText(index: number, version: number): string {
  const { apiVersion: _, kind: __, ...item } = realPod(index, version)
  return JSON.stringify(item)
}
