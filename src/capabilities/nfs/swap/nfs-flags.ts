// Flags of csi-driver-nfs and its sidecars that its chart has no key for: somebody has changed manifests by hand. Each stands below `flags`, by container.

import { converted, dropped, type Step, type ValuesRow } from '#upstreams/values-row.ts'

const section = (key: string) => `capabilities.nfs.${key}`
const carried = (to: string, value: unknown): Step => ({ kind: 'carried', to, value })
const lost = (why: string): Step => ({ kind: 'lost', why })
const left = (why: string): Step => ({ kind: 'dropped', why })

/** Flags of no consequence for what the program does, whatever the container. */
const everywhere: Readonly<Record<string, string>> = {
  v: 'one level for all of Ballast: process.logLevel',
  vmodule: 'one level for all of Ballast: process.logLevel',
  logtostderr: 'ours logs to the standard output',
  alsologtostderr: 'ours logs to the standard output',
  stderrthreshold: 'ours logs to the standard output',
  'logging-format': 'process.logFormat says it for all of Ballast',
  'csi-address': 'the jobs and the driver are one process',
  'leader-election': 'each job elects by its Lease',
  'leader-election-namespace': 'Leases lie where our pods are',
  'leader-election-lease-duration': 'our Leases have the times of client-go',
  'leader-election-renew-deadline': 'our Leases have the times of client-go',
  'leader-election-retry-period': 'our Leases have the times of client-go',
  'feature-gates': 'ours has no gates; modifying volumes by class is nothing that this driver does',
  'http-endpoint': 'probes ask one process; metrics have a port of their own',
  'health-port': 'probes ask one process',
  'metrics-address': 'metrics have a port of their own',
  'metrics-path': 'ours tells them at /metrics',
  'kube-api-qps': 'process.kubeApiQPS says it for all of Ballast',
  'kube-api-burst': 'process.kubeApiBurst says it for all of Ballast',
  'retry-interval-start': 'ours tries again after a second, too',
  'worker-threads': 'work on volumes goes on side by side; each server has a bound of its own',
  workers: 'work on volumes goes on side by side; each server has a bound of its own',
}

/** The same of single containers. */
const alone: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nfs: {
    nodeid: 'an agent knows its node',
    endpoint: 'the socket lies where kubelets look for it',
  },
  'csi-provisioner': {
    'extra-create-metadata': 'ours tells the driver the names of claim and volume always',
    'default-fstype': 'NFS has none',
  },
  'csi-resizer': {
    timeout: 'one limit for all calls: that of the provisioner',
    'retry-interval-max': 'one limit for all: that of the provisioner',
    'handle-volume-inuse-error': 'a volume of NFS grows in use',
    'extra-modify-metadata': 'this driver modifies nothing',
  },
  'csi-snapshotter': {
    timeout: 'one limit for all calls: that of the provisioner',
    'retry-interval-max': 'one limit for all: that of the provisioner',
    'resync-period': 'ours looks at all of them from time to time, too',
    'extra-create-metadata': 'ours tells the driver the names of snapshot and content always',
  },
  'liveness-probe': { 'probe-timeout': 'ours is asked without asking itself over a socket' },
  'node-driver-registrar': {
    'kubelet-registration-path': 'it follows from capabilities.nfs.kubeletDir',
    'plugin-registration-path': 'it follows from capabilities.nfs.kubeletDir',
    timeout: 'the agent registers itself',
    mode: 'the agent registers itself',
  },
}

/** Carried where it says more than upstream's own default. */
const unlessDefault = (path: string, standard: string, why: string): ValuesRow =>
  converted(`flags.${path}`, value => [String(value) === standard ? left("it is upstream's default") : lost(why)])

const settings: readonly ValuesRow[] = [
  converted('flags.nfs.vol-stats-cache-expire-in-minutes', value => [
    carried(section('volStatsCacheExpireInMinutes'), Number(value)),
  ]),
  converted('flags.nfs.remove-archived-volume-path', value => [
    carried(section('controller.existingArchive'), String(value) === 'false' ? 'refuse' : 'remove'),
  ]),
  converted('flags.csi-provisioner.timeout', value => [carried(section('controller.timeout'), String(value))]),
  converted('flags.csi-provisioner.retry-interval-max', value => [
    carried(section('controller.retryIntervalMax'), String(value)),
  ]),
  converted('flags.csi-provisioner.volume-name-prefix', value => [
    carried(section('controller.volumeNamePrefix'), String(value)),
  ]),
  unlessDefault('csi-provisioner.volume-name-uuid-length', '-1', 'names of our volumes have the whole UID of their claim'),
  unlessDefault('csi-snapshotter.snapshot-name-prefix', 'snapshot', 'our snapshots are called snapshot-<UID>'),
  unlessDefault('csi-snapshotter.snapshot-name-uuid-length', '-1', 'names of our snapshots have the whole UID'),
]

const containers = [...Object.keys(alone), 'snapshot-controller']

/** Flags without a row are told as unknown, so that nobody finds out later. */
export const flagRows: readonly ValuesRow[] = [
  ...settings,
  ...Object.entries(alone).flatMap(([container, flags]) =>
    Object.entries(flags).map(([flag, why]) => dropped(`flags.${container}.${flag}`, why)),
  ),
  ...containers.flatMap(container =>
    Object.entries(everywhere)
      .filter(([flag]) => alone[container]?.[flag] === undefined)
      .map(([flag, why]) => dropped(`flags.${container}.${flag}`, why)),
  ),
]
