// Command lines of upstream's sidecars, as its charts and its users write them.
import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { standardProvision } from '../jobs/provision/settings.ts'
import { standardResize } from '../jobs/resize/settings.ts'
import { standardSnapshot, standardSnapshotController } from '../jobs/snapshot/settings.ts'
import { provisionerSettings, resizerSettings, snapshotControllerSettings, snapshotterSettings } from './job-flags.ts'
import { livenessSettings, registrarSettings } from './node-flags.ts'

const readers = {
  provisionerSettings,
  resizerSettings,
  snapshotterSettings,
  snapshotControllerSettings,
  registrarSettings,
  livenessSettings,
}

describe('without flags', () => {
  test('the defaults are upstream’s', () => {
    expect(provisionerSettings([])).toMatchObject({
      address: '/run/csi/socket',
      election: undefined,
      endpoint: '',
      metricsPath: '/metrics',
      job: standardProvision,
    })
    expect(resizerSettings([])).toMatchObject({ job: standardResize })
    expect(snapshotterSettings([])).toMatchObject({ job: standardSnapshot })
    expect(snapshotControllerSettings([])).toMatchObject({ job: standardSnapshotController })
    expect(livenessSettings([])).toMatchObject({
      endpoint: '0.0.0.0:9808',
      limitMs: 3_000,
      hasMetrics: false,
      metricsAddress: '',
    })
    expect(registrarSettings(['--kubelet-registration-path=/a'])).toMatchObject({
      registry: '/registration',
      limitMs: 1_000,
      endpoint: '',
    })
  })
})

test('the lines of csi-driver-nfs’s chart are taken', () => {
  const common = ['-v=2', '--csi-address=unix:///csi/csi.sock', '--leader-election', '--leader-election-namespace=csi-nfs']
  const provisioner = [
    ...common,
    '--extra-create-metadata=true',
    '--feature-gates=HonorPVReclaimPolicy=true',
    '--timeout=1200s',
    '--retry-interval-max=30m',
  ]
  expect(provisionerSettings(provisioner)).toMatchObject({
    address: '/csi/csi.sock',
    verbosity: 2,
    election: { namespace: 'csi-nfs', leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 5_000 },
    job: { tellsNames: true, timeoutMs: 1_200_000, retryLastMs: 1_800_000 },
    warnings: [],
  })
  expect(resizerSettings([...common, '-handle-volume-inuse-error=false'])).toMatchObject({ job: { heedsUse: false } })
  expect(snapshotterSettings([...common, '--extra-create-metadata', '--timeout=1200s'])).toMatchObject({
    job: { tellsNames: true, timeoutMs: 1_200_000 },
  })
  expect(
    livenessSettings(['--csi-address=/csi/csi.sock', '--probe-timeout=3s', '--http-endpoint=localhost:29652', '--v=2']),
  ).toMatchObject({
    endpoint: 'localhost:29652',
    hasMetrics: true,
  })
  expect(
    registrarSettings([
      '--v=2',
      '--csi-address=/csi/csi.sock',
      '--kubelet-registration-path=/var/lib/kubelet/plugins/csi-nfsplugin/csi.sock',
    ]),
  ).toMatchObject({
    kubeletPath: '/var/lib/kubelet/plugins/csi-nfsplugin/csi.sock',
  })
})

test('what has no effect is taken and told', () => {
  expect(provisionerSettings(['--strict-topology', '--leader-election-labels=a:b']).warnings).toEqual([
    '--strict-topology is taken and has no effect',
    '--leader-election-labels is taken and has no effect',
  ])
  expect(snapshotControllerSettings(['--retry-crd-interval-max=1m']).warnings).toEqual([
    '--retry-crd-interval-max is taken and has no effect',
  ])
})

// biome-ignore format: a table
test.each([
  // program                      words                                                            what is said
  ['provisionerSettings',         ['--worker-threads=0'],                                          '--worker-threads: found 0, expected more than 0'],
  ['provisionerSettings',         ['--volume-name-uuid-length=33'],                                '--volume-name-uuid-length: found 33, expected -1, or a number from 1 to 32'],
  ['provisionerSettings',         ['--volume-name-prefix='],                                       'volume name prefix cannot be of length 0'],
  ['provisionerSettings',         ['--enable-capacity'],                                           "--enable-capacity: found true, expected false: CSIStorageCapacity objects are external-provisioner's"],
  ['provisionerSettings',         ['--node-deployment'],                                           "--node-deployment: found true, expected false: a provisioner on each node is external-provisioner's"],
  ['provisionerSettings',         ['--feature-gates=CrossNamespaceVolumeDataSource=true'],         "--feature-gates: found CrossNamespaceVolumeDataSource=true, expected false: sources in other namespaces are external-provisioner's"],
  ['provisionerSettings',         ['--feature-gates=Nonsense=true'],                               '--feature-gates: found Nonsense, expected one of Topology, VolumeAttributesClass, ReleaseLeaderElectionOnExit, HonorPVReclaimPolicy, CrossNamespaceVolumeDataSource'],
  ['provisionerSettings',         ['--retry-interval-start=10m'],                                  '--retry-interval-start: found 600000ms, expected at most --retry-interval-max'],
  ['provisionerSettings',         ['--csi-address=csi.sock'],                                      '--csi-address: found csi.sock, expected an absolute path, with or without unix:// before it'],
  ['provisionerSettings',         ['--master=https://10.0.0.1'],                                   '--master: found https://10.0.0.1, expected a kubeconfig that names the server'],
  ['resizerSettings',             ['--leader-election-renew-deadline=20s'],                        '--leader-election-lease-duration: found 15000ms, expected more than --leader-election-renew-deadline'],
  ['resizerSettings',             ['--workers=many'],                                              'invalid argument "many" for "--workers" flag: strconv.ParseInt: parsing "many": invalid syntax'],
  ['snapshotterSettings',         ['--feature-gates=CSIVolumeGroupSnapshot=true'],                 "--feature-gates: found CSIVolumeGroupSnapshot=true, expected false: groups of snapshots are external-snapshotter's"],
  ['snapshotterSettings',         ['--http-endpoint=:1', '--metrics-address=:2'],                  'only one of `--metrics-address` and `--http-endpoint` can be set.'],
  ['snapshotControllerSettings',  ['--csi-address=/csi/csi.sock'],                                 'unknown flag: --csi-address'],
  ['registrarSettings',           [],                                                              'kubelet-registration-path is a required parameter'],
  ['registrarSettings',           ['--kubelet-registration-path=/a', '--health-port=1', '--http-endpoint=:2'], 'Only one of `--health-port` and `--http-endpoint` can be set'],
  ['livenessSettings',            ['--health-port=1', '--http-endpoint=:2'],                       'Only one of `--health-port` and `--http-endpoint` can be explicitly set'],
  ['livenessSettings',            ['--probe-timeout=0s'],                                          '--probe-timeout: found 0ms, expected more than 0'],
] as const)('%s refuses %j', (reader, words, said) => {
  expect(() => readers[reader](words)).toThrow(InputError)
  try {
    readers[reader](words)
  } catch (error) {
    expect(error instanceof InputError && error.problems.map(({ message, where, found, expected }) => message ?? `${where}: found ${found}, expected ${expected}`)).toEqual([said])
  }
})
