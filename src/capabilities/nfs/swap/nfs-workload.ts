// What a running csi-driver-nfs is told, in the words of its chart's values: by the DaemonSet of its nodes, the Deployments beside it, and its CSIDriver.

import { listAt, numberAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import type { Around } from '#upstreams/upstream.ts'
import { isEmpty } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { convertRunningNfs } from './nfs-rows.ts'

type Said = readonly (readonly [path: string, value: unknown])[]

/** `workload`: the DaemonSet, or the Deployment alone where plain manifests are in several files; `beside`: what else there is of its installation. */
export function convertNfsWorkload(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const all = [workload, ...beside]
  const ofKind = (kind: string) => all.filter(one => valueAt(one, ['kind']) === kind)
  const node = ofKind('DaemonSet').find(one => containerOf(one, 'nfs') !== undefined)
  const controller = ofKind('Deployment').find(one => containerOf(one, 'nfs') !== undefined)
  const snapshots = ofKind('Deployment').find(one => containerOf(one, 'nfs') === undefined && isSnapshotController(one))
  const driver = textFlag(node ?? controller, 'drivername') ?? 'nfs.csi.k8s.io'
  const found: Said = [
    ...(node === undefined ? [] : ofNode(node)),
    ...(controller === undefined ? [] : ofController(controller)),
    ...ofDriver(ofKind('CSIDriver').find(one => textAt(one, 'metadata', 'name') === driver)),
    ...(snapshots === undefined ? [] : [['externalSnapshotter.enabled', true] as const]),
    [
      'classes',
      [...ofKind('StorageClass'), ...ofKind('VolumeSnapshotClass')]
        .filter(one => [textAt(one, 'provisioner'), textAt(one, 'driver')].includes(driver))
        .flatMap(one => textAt(one, 'metadata', 'name') ?? []),
    ],
    ...[node, controller, snapshots].flatMap(furtherFlags),
  ]
  const values = found
    .filter(([, value]) => value === false || value === 0 || !isEmpty(value))
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
  return convertRunningNfs({ values, namespace })
}

const pod = (workload: unknown, key: string): unknown => valueAt(workload, ['spec', 'template', 'spec', key])

const containersOf = (workload: unknown): readonly unknown[] => listAt(workload, 'spec', 'template', 'spec', 'containers')

const containerOf = (workload: unknown, name: string): unknown => containersOf(workload).find(one => textAt(one, 'name') === name)

const isSnapshotController = (workload: unknown): boolean => containersOf(workload).some(isSnapshotControllerContainer)

/** Words of a container, with what they take from its environment in its place. */
function wordsOf(container: unknown): readonly string[] {
  const environment = new Map(listAt(container, 'env').map(one => [textAt(one, 'name') ?? '', textAt(one, 'value') ?? '']))
  return [...listAt(container, 'command').slice(1), ...listAt(container, 'args')].map(word =>
    String(word).replaceAll(/\$\(([A-Za-z_][\w]*)\)/g, (whole, name: string) => environment.get(name) ?? whole),
  )
}

const flagsOf = (container: unknown): ReadonlyMap<string, string> =>
  new Map(flagsIn(wordsOf(container)).map(({ name, values }) => [name, values.join(',') || 'true']))

const textFlag = (workload: unknown, flag: string): string | undefined => flagsOf(containerOf(workload, 'nfs')).get(flag)

/** What both kinds of pods say of themselves. */
function ofPods(workload: unknown, theirs: 'node' | 'controller'): Said {
  const selector = pod(workload, 'nodeSelector')
  const plain = isTree(selector)
    ? Object.fromEntries(
        Object.entries(selector).filter(([key]) => key !== 'kubernetes.io/os' && !key.startsWith('ballast.dev/')),
      )
    : {}
  return [
    ...['dnsPolicy', 'priorityClassName', 'tolerations'].map(key => [`${theirs}.${key}`, pod(workload, key)] as const),
    [`${theirs}.revisionHistoryLimit`, valueAt(workload, ['spec', 'revisionHistoryLimit'])],
    [`${theirs}.nodeSelector`, plain],
    [`${theirs}.affinity`, withoutMarks(pod(workload, 'affinity'))],
    [`${theirs}.livenessProbe.healthPort`, healthPort(workload)],
    ['imagePullSecrets', pod(workload, 'imagePullSecrets')],
  ]
}

/** A swap that is under way keeps it off nodes by a label of ours. */
function withoutMarks(affinity: unknown): unknown {
  if (!isTree(affinity)) return undefined
  const terms = valueAt(affinity, ['nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms'])
  if (!Array.isArray(terms) || !JSON.stringify(terms).includes('"ballast.dev/')) return affinity
  const kept = terms
    .map(term => listAt(term, 'matchExpressions').filter(one => !(textAt(one, 'key') ?? '').startsWith('ballast.dev/')))
    .filter(expressions => expressions.length > 0)
    .map(matchExpressions => ({ matchExpressions }))
  const { nodeAffinity, ...others } = affinity
  const { requiredDuringSchedulingIgnoredDuringExecution: _required, ...wishes } = isTree(nodeAffinity) ? nodeAffinity : {}
  const required = kept.length === 0 ? {} : { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: kept } }
  const changed = { ...wishes, ...required }
  return { ...others, ...(Object.keys(changed).length === 0 ? {} : { nodeAffinity: changed }) }
}

/** Where the liveness probe listens for the kubelet. */
function healthPort(workload: unknown): number | undefined {
  const flags = flagsOf(containerOf(workload, 'liveness-probe'))
  const text = flags.get('health-port') ?? /:(\d+)$/.exec(flags.get('http-endpoint') ?? '')?.[1]
  return text === undefined ? undefined : Number(text)
}

const volumeAt = (workload: unknown, name: string): string | undefined =>
  textAt(
    listAt(templateOf(Object(workload)), 'spec', 'volumes').find(one => textAt(one, 'name') === name),
    'hostPath',
    'path',
  )

function ofNode(workload: unknown): Said {
  const pods = volumeAt(workload, 'pods-mount-dir')
  const renewed = valueAt(workload, ['spec', 'updateStrategy'])
  return [
    ...ofPods(workload, 'node'),
    ...commonFlags(workload),
    ['kubeletDir', pods?.replace(/\/pods\/?$/, '')],
    ['feature.propagateHostMountOptions', volumeAt(workload, 'host-nfsmount-conf') === undefined ? undefined : true],
    // A swap that is under way has changed how it is renewed.
    [
      'node.maxUnavailable',
      textAt(renewed, 'type') === 'OnDelete' ? undefined : valueAt(renewed, ['rollingUpdate', 'maxUnavailable']),
    ],
  ]
}

const commonFlags = (workload: unknown): Said => {
  const permissions = textFlag(workload, 'mount-permissions')
  return [
    ['driver.name', textFlag(workload, 'drivername')],
    ['driver.mountPermissions', permissions],
  ]
}

function ofController(workload: unknown): Said {
  const isOn = (flag: string) => {
    const text = textFlag(workload, flag)
    return text === undefined ? undefined : text !== 'false'
  }
  const replicas = numberAt(workload, 'spec', 'replicas')
  return [
    ...ofPods(workload, 'controller'),
    ...commonFlags(workload),
    // None while a swap has put it to sleep.
    ['controller.replicas', replicas === 0 ? undefined : replicas],
    ['controller.strategyType', valueAt(workload, ['spec', 'strategy', 'type'])],
    ['controller.enableSnapshotter', containerOf(workload, 'csi-snapshotter') !== undefined],
    ['controller.workingMountDir', textFlag(workload, 'working-mount-dir')],
    ['controller.defaultOnDeletePolicy', textFlag(workload, 'default-ondelete-policy')],
    ['controller.useTarCommandInSnapshot', isOn('use-tar-command-in-snapshot')],
    ['controller.enableSnapshotCompression', isOn('enable-snapshot-compression')],
  ]
}

function ofDriver(driver: unknown): Said {
  if (driver === undefined) return []
  return [
    ['feature.enableFSGroupPolicy', textAt(driver, 'spec', 'fsGroupPolicy') === 'File'],
    ['feature.enableInlineVolume', listAt(driver, 'spec', 'volumeLifecycleModes').includes('Ephemeral')],
  ]
}

/** Flags that the chart has keys for. */
const ofChart: ReadonlySet<string> = new Set([
  ...['drivername', 'mount-permissions', 'working-mount-dir', 'default-ondelete-policy', 'use-tar-command-in-snapshot'],
  'enable-snapshot-compression',
])

/** All others, by container. */
function furtherFlags(workload: unknown): Said {
  return containersOf(workload).flatMap(container => {
    const name = textAt(container, 'name') ?? ''
    const place = isSnapshotControllerContainer(container) ? 'snapshot-controller' : name
    return [...flagsOf(container)]
      .filter(([flag]) => !(name === 'nfs' && ofChart.has(flag)))
      .map(([flag, value]) => [`flags.${place}.${flag}`, value] as const)
  })
}

const isSnapshotControllerContainer = (container: unknown): boolean =>
  /(^|\/)snapshot-controller$/.test((textAt(container, 'image') ?? '').replace(/@.*$/, '').replace(/:[^/]*$/, ''))
