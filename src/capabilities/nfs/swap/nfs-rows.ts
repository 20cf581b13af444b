// What becomes of each key of the chart `csi-driver-nfs`, 4.5 to 4.13: the table of `ballast migrate values --from csi-driver-nfs`. What its programs are
// told by flags that the chart has no key for is in `nfs-flags.ts`.

import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import { converted, dropped, isEmpty, type RowContext, type Step, same, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { existingClasses, snapshotClass, storageClass } from './nfs-classes.ts'
import { flagRows } from './nfs-flags.ts'

/** Charts whose keys are recorded, oldest first. */
export const nfsVersions: readonly string[] = [
  ...['4.5.0', '4.6.0', '4.7.0', '4.8.0', '4.9.0', '4.10.0', '4.11.0', '4.12.0', '4.12.1'],
  ...['4.13.0', '4.13.1', '4.13.2', '4.13.3', '4.13.4'],
]

const section = (key: string) => `capabilities.nfs.${key}`
const node = (key: string) => `nfs.node.${key}`
const controller = (key: string) => `nfs.controller.${key}`

const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"
const oneLevel = 'one level for all of Ballast: process.logLevel'
const oneProcess = 'the agent registers itself with the kubelet and is probed as one process'
const ofSnapshotter = 'the snapshot controller of ours has the pods of nfs.controller'

const carried = (to: string, value: unknown, why?: string): Step => ({
  kind: 'carried',
  to,
  value,
  ...(why === undefined ? {} : { why }),
})
const left = (why: string): Step => ({ kind: 'dropped', why })
const lost = (why: string): Step => ({ kind: 'lost', why })

/** Permissions as the driver takes them on its command line: a number is one, and text is read as Go reads a number. */
export function octalPermissions(value: unknown): string | undefined {
  const text = String(value).trim()
  const octal = /^0o?([0-7]+)$/.exec(text)?.[1]
  const number = octal === undefined ? (/^\d+$/.test(text) ? Number(text) : Number.NaN) : Number.parseInt(octal, 8)
  if (!Number.isInteger(number) || number < 0 || number > 0o7777) return undefined
  return number === 0 ? '0' : `0${number.toString(8)}`
}

const permissions = (value: unknown): readonly Step[] => {
  const octal = octalPermissions(value)
  return [
    octal === undefined
      ? lost(`found ${JSON.stringify(value)}, expected permissions such as 0777`)
      : carried(section('mountPermissions'), octal),
  ]
}

const policies = ['delete', 'retain', 'archive']

const onDelete = (value: unknown): readonly Step[] => {
  const policy = String(value).toLowerCase()
  if (policy === '') return [left('it is what ours does: delete')]
  return [
    policies.includes(policy)
      ? carried(section('controller.defaultOnDeletePolicy'), policy)
      : lost(`found ${JSON.stringify(value)}, expected ${policies.join(', ')}`),
  ]
}

/** The chart heeds an affinity of the controller only where this stands in it. */
const isHeeded = (affinity: unknown) => JSON.stringify(affinity ?? {}).includes('nodeSelectorTerms')

const roleTerm = (role: string) => ({ key: `node-role.kubernetes.io/${role}`, operator: 'Exists' })

/** On masters by their old label: only an affinity says that. */
function onMasters(value: unknown, { read }: RowContext): readonly Step[] {
  if (value !== true) return [left('ours runs anywhere, too')]
  if (isHeeded(read('controller.affinity'))) return [left('the chart does not heed it beside controller.affinity')]
  const roles = read('controller.runOnControlPlane') === true ? ['control-plane', 'master'] : ['master']
  const terms = [{ matchExpressions: roles.map(roleTerm) }]
  return [
    carried(controller('affinity'), {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
    }),
  ]
}

function onControlPlane(value: unknown, { read }: RowContext): readonly Step[] {
  if (isHeeded(read('controller.affinity')) && value === true)
    return [left('the chart does not heed it beside controller.affinity')]
  if (read('controller.runOnMaster') === true) return [left('it is in the affinity that controller.runOnMaster becomes')]
  return [carried(controller('runOnControlPlane'), value === true)]
}

const ofDriver: readonly ValuesRow[] = [
  same('driver.name', section('driverName')),
  converted('driver.mountPermissions', permissions),
  converted('feature.enableFSGroupPolicy', value => [
    carried('nfs.csiDriver.fsGroupPolicy', value === true ? 'File' : 'ReadWriteOnceWithFSType'),
  ]),
  converted('feature.enableInlineVolume', value => [carried('nfs.csiDriver.inlineVolumes', value === true)]),
  converted('feature.propagateHostMountOptions', value => [carried(node('propagateHostMountOptions'), value === true)]),
  converted('kubeletDir', value => [carried(section('kubeletDir'), String(value).replace(/(?<=.)\/+$/, ''))]),
]

/** What both kinds of pods say of themselves. */
function ofPods(theirs: 'node' | 'controller', ours: (key: string) => string): readonly ValuesRow[] {
  const nonEmpty = (key: string) =>
    converted(`${theirs}.${key}`, value =>
      isEmpty(value) ? [left("it is upstream's default and says nothing")] : [carried(ours(key), value)],
    )
  return [
    dropped(`${theirs}.name`, ownNames),
    dropped(`${theirs}.logLevel`, oneLevel),
    same(`${theirs}.livenessProbe.healthPort`, ours('healthPort')),
    ...['dnsPolicy', 'revisionHistoryLimit', 'priorityClassName', 'tolerations'].map(key => same(`${theirs}.${key}`, ours(key))),
    nonEmpty('nodeSelector'),
    dropped(`${theirs}.resources`, `it was measured for upstream; ours has its own figures (${ours('resources')})`),
  ]
}

const ofNodes: readonly ValuesRow[] = [
  ...ofPods('node', node),
  converted('node.affinity', value =>
    isEmpty(value) ? [left("it is upstream's default and says nothing")] : [carried(node('affinity'), value)],
  ),
  converted('node.maxUnavailable', value => [
    carried(node('updateStrategy'), { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: value } }),
  ]),
  dropped('nodeDriverRegistrar', oneProcess),
]

const ofController: readonly ValuesRow[] = [
  ...ofPods('controller', controller),
  same('controller.replicas', controller('replicas')),
  converted('controller.strategyType', value => [carried(controller('updateStrategy'), { type: value })]),
  converted('controller.affinity', value =>
    isHeeded(value) ? [carried(controller('affinity'), value)] : [left('the chart heeds it only where it has nodeSelectorTerms')],
  ),
  converted('controller.runOnMaster', onMasters),
  converted('controller.runOnControlPlane', onControlPlane),
  converted('controller.enableSnapshotter', value => [carried(section('controller.snapshots.enabled'), value === true)]),
  converted('controller.useTarCommandInSnapshot', value => [
    carried(section('controller.useTarCommandInSnapshot'), value === true),
  ]),
  converted('controller.enableSnapshotCompression', value => [
    carried(section('controller.snapshotCompression'), value === false ? 'none' : 'gzip'),
  ]),
  same('controller.workingMountDir', section('controller.workingMountDir')),
  converted('controller.defaultOnDeletePolicy', onDelete),
]

const ofSnapshots: readonly ValuesRow[] = [
  converted('externalSnapshotter.enabled', value =>
    value === true
      ? [
          carried(
            section('controller.snapshots.controller'),
            true,
            'ours brings no kinds of snapshots: those that are in the cluster stay',
          ),
        ]
      : [left('ours leaves snapshots to the snapshot controller that the cluster has, too')],
  ),
  converted(
    'externalSnapshotter.customResourceDefinitions.enabled',
    (value, { read }) =>
      value === true && read('externalSnapshotter.enabled') === true
        ? [
            lost(
              'ours brings no kinds of snapshots. Those of this cluster stay, but helm uninstall of upstream would delete them with every snapshot; another cluster needs those of external-snapshotter',
            ),
          ]
        : [left('upstream brings none either')],
    { upstreamDefault: true },
  ),
  dropped('externalSnapshotter.name', ownNames),
  dropped('externalSnapshotter.deletionPolicy', 'the chart has no use for it'),
  dropped('externalSnapshotter.enabledDistributedSnapshotting', 'it gives a right that its snapshot controller does not use'),
  ...['priorityClassName', 'controller', 'resources', 'labels', 'annotations'].map(key =>
    dropped(`externalSnapshotter.${key}`, ofSnapshotter),
  ),
]

const ofClasses: readonly ValuesRow[] = [
  converted('storageClass', (value, { read }) => {
    if (!isTree(value) || value['create'] !== true) return [left('it makes no class')]
    return storageClass(value, read('driver.name'))
  }),
  converted('storageClasses', (value, { read }) =>
    Array.isArray(value) ? value.flatMap(one => storageClass(one, read('driver.name'))) : [lost('expected a list of classes')],
  ),
  converted('volumeSnapshotClass', (value, { read }) => {
    if (!isTree(value) || value['create'] !== true) return [left('it makes no class')]
    return snapshotClass(value, read('driver.name'))
  }),
]

const around: readonly ValuesRow[] = [
  converted('customLabels', value => (isEmpty(value) ? [left('there are none')] : [carried('commonLabels', value)])),
  converted('imagePullSecrets', value => (isEmpty(value) ? [left('there are none')] : [carried('imagePullSecrets', value)])),
  same('image.nfs.pullPolicy', 'image.pullPolicy'),
  ...['nfs.repository', 'nfs.tag', 'baseRepo'].map(key => dropped(`image.${key}`, oneImage)),
  ...['csiProvisioner', 'csiResizer', 'csiSnapshotter', 'livenessProbe', 'nodeDriverRegistrar', 'externalSnapshotter'].map(
    sidecar => dropped(`image.${sidecar}`, `${oneImage}, and does the work of this sidecar`),
  ),
  dropped('nameOverride', ownNames),
  ...['create', 'controller', 'node'].map(key => dropped(`serviceAccount.${key}`, 'each of our pods has an account of its own')),
  converted('rbac.create', value =>
    value === false
      ? [lost('rights follow from what is enabled; rbac.create: false leaves those of all of Ballast to you')]
      : [left('ours makes its rights, too')],
  ),
  dropped('rbac.name', ownNames),
]

/** What upstream's chart says where its values are silent, as far as a row asks. */
const driverName = 'nfs.csi.k8s.io'

/** One row for each key of the charts. */
export const nfsRows: readonly ValuesRow[] = [
  ...ofDriver,
  ...ofNodes,
  ...ofController,
  ...ofSnapshots,
  ...ofClasses,
  ...around,
].map(row => (row.path === 'driver.name' ? { ...row, upstreamDefault: driverName } : row))

const start = { capabilities: { nfs: { enabled: true } } }

interface Input {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}

/** Values of the chart as values of ours. Classes become objects of the user's own. */
export const convertNfs = (input: Input): ConvertedValues => convertValues({ rows: nfsRows, start, ...input })

/** The same of what runs: flags that the chart has no key for are below `flags`. Classes that are there stay as they are. */
export const convertRunningNfs = (input: Omit<Input, 'version'>): ConvertedValues =>
  convertValues({ rows: [...nfsRows, ...flagRows, existingClasses], start, version: undefined, ...input })
