// What keeps volumes of NFS from being mounted or made by Ballast: another driver of the same name, a kubelet whose folder is elsewhere, and snapshots that nobody
// carries out.

import type { CapabilityFindings } from '#doctor/capability-findings.ts'
import { type ClusterFacts, ofKind } from '#doctor/facts.ts'
import { type Finding, findingsOf, kind } from '#doctor/finding.ts'
import { imagesOf, isWanted, listAt, shown, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { flagsIn } from '#upstreams/flags.ts'
import { isOwnPart, sleepsBySelector } from '#upstreams/recognition.ts'
import { type NfsConfig, nfsConfiguration } from '../config.ts'
import { driverName, kubeletDirectory } from '../names.ts'
import { lookAtShares, shareKinds } from './shares-look.ts'

const kinds = {
  'nfs-driver-twice': kind('error', 'nfs', 'two drivers of one name, which take one socket on each node from each other'),
  'nfs-kubelet-folder': kind('warn', 'nfs', 'kubelets keep their folder elsewhere than capabilities.nfs.kubeletDir says'),
  'nfs-snapshot-kinds-missing': kind('info', 'nfs', 'snapshots are on, and the cluster has no kinds for them'),
  'nfs-snapshot-controller': kind('warn', 'nfs', 'nobody binds snapshots to their contents, or two do'),
  ...shareKinds,
}
const finding = findingsOf(kinds)
const capability = 'nfs'

/** The section as it is; `undefined` where it is off. */
function sectionOf({ ours }: ClusterFacts): NfsConfig | undefined {
  if (ours?.enabled.includes(capability) !== true) return undefined
  const read = nfsConfiguration.safeParse(ours.configurations[capability] ?? {})
  return read.success ? read.data : undefined
}

interface NodeDriver {
  readonly workload: KubeObject
  readonly name: string
}

const containersOf = (workload: KubeObject): readonly unknown[] => listAt(templateOf(workload), 'spec', 'containers')
const isOfImage = (image: string, name: string): boolean => new RegExp(`(^|/)${name}(@|:|$)`).test(image)

/** Drivers on nodes that have pods: upstream's by its flags, ours by its section. */
function nodeDrivers(facts: ClusterFacts): readonly NodeDriver[] {
  const own = sectionOf(facts)?.driverName ?? driverName
  return ofKind(facts, 'DaemonSet').flatMap((workload): readonly NodeDriver[] => {
    if (sleepsBySelector(workload)) return []
    if (isOwnPart(workload, 'agent-nfs')) return [{ workload, name: own }]
    const container = containersOf(workload).find(one => isOfImage(textAt(one, 'image') ?? '', 'nfsplugin'))
    if (container === undefined) return []
    const words = [...listAt(container, 'command').slice(1), ...listAt(container, 'args')]
    const said = flagsIn(words).find(({ name }) => name === 'drivername')?.values[0]
    return [{ workload, name: said ?? driverName }]
  })
}

/** In the midst of a swap each node has one of them, by a label that both ask for. */
const isOfSwap = ({ workload }: NodeDriver): boolean => JSON.stringify(templateOf(workload)).includes('"ballast.dev/nfs-swap"')

function checkDrivers(facts: ClusterFacts): readonly Finding[] {
  const drivers = nodeDrivers(facts).filter(one => !isOfSwap(one))
  return drivers.flatMap((one, at) => {
    const other = drivers.slice(0, at).find(({ name }) => name === one.name)
    if (other === undefined) return []
    return [
      finding('nfs-driver-twice', {
        object: shown(one.workload),
        message: `driver ${one.name} is on nodes twice, by ${shown(other.workload)} too: the later one has the socket, and where that ends no volume can be mounted`,
        fix:
          isOwnPart(one.workload, 'agent-nfs') || isOwnPart(other.workload, 'agent-nfs')
            ? 'ballast migrate plan csi-driver-nfs'
            : 'take one of them away; volumes stay mounted',
        capability,
      }),
    ]
  })
}

/** Distributions that say in the kubelet's version where it is. */
const folders: readonly (readonly [version: RegExp, folder: string])[] = [[/\+k0s/, '/var/lib/k0s/kubelet']]

/** Where kubelets are in truth, and who says so. */
function* toldFolders(facts: ClusterFacts): Generator<readonly [folder: string, by: KubeObject]> {
  for (const node of ofKind(facts, 'Node')) {
    const version = textAt(node, 'status', 'nodeInfo', 'kubeletVersion') ?? ''
    const found = folders.find(([pattern]) => pattern.test(version))
    if (found !== undefined) yield [found[1], node]
  }
  // Other drivers register there.
  for (const workload of ofKind(facts, 'DaemonSet')) {
    if (isOwnPart(workload, 'agent-nfs') || !isWanted(workload)) continue
    for (const volume of listAt(templateOf(workload), 'spec', 'volumes')) {
      const folder = /^(\/.+)\/plugins_registry\/?$/.exec(textAt(volume, 'hostPath', 'path') ?? '')?.[1]
      if (folder !== undefined) yield [folder, workload]
    }
  }
}

/** One finding for each other folder. */
function checkFolders(facts: ClusterFacts): readonly Finding[] {
  const section = sectionOf(facts)
  if (section === undefined) return []
  const own = (section.kubeletDir ?? kubeletDirectory).replace(/\/+$/, '')
  const others = new Map([...toldFolders(facts)].filter(([folder]) => folder !== own))
  return Array.from(others, ([folder, by]) =>
    finding('nfs-kubelet-folder', {
      object: shown(by),
      message: `the kubelet is at ${folder} there, and capabilities.nfs.kubeletDir is ${own}: the driver is not found, and pods with volumes wait`,
      fix: `capabilities.nfs.kubeletDir: ${folder}`,
      capability,
    }),
  )
}

const snapshotKind = 'volumesnapshots.snapshot.storage.k8s.io'

function checkSnapshots(facts: ClusterFacts): readonly Finding[] {
  const section = sectionOf(facts)
  if (section === undefined) return []
  const { snapshots } = section.controller
  const definition = ofKind(facts, 'CustomResourceDefinition').find(({ metadata }) => metadata.name === snapshotKind)
  const controllers = ofKind(facts, 'Deployment', 'StatefulSet', 'DaemonSet').filter(
    workload => isWanted(workload) && imagesOf(workload).some(image => isOfImage(image, 'snapshot-controller')),
  )
  if (definition === undefined) {
    if (!snapshots.enabled && !snapshots.controller) return []
    return [
      finding('nfs-snapshot-kinds-missing', {
        object: `CustomResourceDefinition ${snapshotKind}`,
        message: 'nobody can ask for a snapshot: its kinds are not in the cluster. Everything else works',
        fix: 'apply the kinds of external-snapshotter (client/config/crd of its repository), or capabilities.nfs.controller.snapshots.enabled: false',
        capability,
      }),
    ]
  }
  const [one] = controllers
  if (one !== undefined && snapshots.controller)
    return [
      finding('nfs-snapshot-controller', {
        object: shown(one),
        message:
          'it is the snapshot controller of the cluster, and capabilities.nfs.controller.snapshots.controller is on: two make a content of each snapshot',
        fix: 'capabilities.nfs.controller.snapshots.controller: false',
        capability,
      }),
    ]
  if (one === undefined && snapshots.enabled && !snapshots.controller)
    return [
      finding('nfs-snapshot-controller', {
        object: shown(definition),
        message: 'no snapshot controller is seen in the cluster: snapshots stay as they are, unless one runs elsewhere',
        fix: 'capabilities.nfs.controller.snapshots.controller: true',
        capability,
      }),
    ]
  return []
}

export const nfsFindings: CapabilityFindings = {
  kinds,
  look: { area: 'nfs', run: lookAtShares },
  cluster: facts => [...checkDrivers(facts), ...checkFolders(facts), ...checkSnapshots(facts)],
}
