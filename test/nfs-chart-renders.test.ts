// What Helm makes of upstream's chart, and what ours is with the same values converted: the same driver, in the same places, by the same classes. And the same again from
// the objects that Helm made, as a swap reads them.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { enabledCapabilities as capabilities } from '../src/process/enabled-capabilities.ts'
import { flagsIn } from '../src/upstreams/flags.ts'
import { type ValuesTree, valueAt } from '../src/upstreams/values-tree.ts'
import { upstreamNamed } from './carried-swap.ts'

interface Renders {
  readonly values: Readonly<Record<string, ValuesTree>>
  readonly renders: Readonly<Record<string, Readonly<Record<string, KubeObject>>>>
}

const file = new URL('./fixtures/nfs/chart-renders.json', import.meta.url)
const { values: cases, renders }: Renders = JSON.parse(readFileSync(file, 'utf8'))
const { replaced } = upstreamNamed('csi-driver-nfs')
const release = plainRelease('ballast', 'ballast-system')

/** What our chart makes of converted values. */
const ours = (values: ValuesTree): readonly KubeObject[] =>
  objects(installationValues({ values: { file: 'converted', text: JSON.stringify(values) } }, capabilities), {
    capabilities,
    release,
  })

const podOf = (workload: KubeObject) => at(workload, 'spec', 'template', 'spec')
const withContainer = (list: readonly KubeObject[], kind: string, name: RegExp): KubeObject => {
  const found = list.find(
    one => one.kind === kind && listAt(podOf(one), 'containers').some(of => name.test(textAt(of, 'name') ?? '')),
  )
  if (found === undefined) throw new Error(`no ${kind} with ${name}`)
  return found
}

/** Where the pods of a workload are, and how they look names up. */
const placing = (workload: KubeObject) => {
  const pod = podOf(workload)
  return {
    hostNetwork: at(pod, 'hostNetwork'),
    dnsPolicy: at(pod, 'dnsPolicy'),
    nodeSelector: at(pod, 'nodeSelector'),
    tolerations: at(pod, 'tolerations'),
    nodeAffinity: at(pod, 'affinity', 'nodeAffinity'),
    imagePullSecrets: at(pod, 'imagePullSecrets'),
    health: listAt(pod, 'containers')
      .flatMap(one => at(one, 'livenessProbe', 'httpGet', 'port') ?? [])
      .find(port => port !== 'healthz'),
  }
}

/** Folders of the node in the container that mounts, with their propagation. */
function folders(workload: KubeObject, container: RegExp) {
  const pod = podOf(workload)
  const paths = new Map(listAt(pod, 'volumes').map(volume => [textAt(volume, 'name'), textAt(volume, 'hostPath', 'path')]))
  const mounts = listAt(pod, 'containers')
    .filter(one => container.test(textAt(one, 'name') ?? ''))
    .flatMap(one => listAt(one, 'volumeMounts'))
  const all = mounts.flatMap(mount => {
    const path = paths.get(textAt(mount, 'name'))
    return path === undefined ? [] : [`${path} ${textAt(mount, 'mountPropagation') ?? ''}`]
  })
  return [...new Set(all)].sort()
}

function ofCluster(list: readonly KubeObject[]) {
  const driver = list.find(({ kind }) => kind === 'CSIDriver')
  // What Kubernetes says where a chart says nothing.
  const spec = { fsGroupPolicy: 'ReadWriteOnceWithFSType', ...Object(driver?.['spec']) }
  const classes = list
    .filter(({ kind }) => kind === 'StorageClass' || kind === 'VolumeSnapshotClass')
    .map(({ metadata: { name, annotations }, ...rest }) => ({ name, annotations: annotations ?? undefined, ...rest }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return { driver: [driver?.metadata.name, spec], classes }
}

interface Facts {
  readonly node: object
  readonly controller: object
  readonly config: object
}

function theirFacts(list: readonly KubeObject[]): Facts {
  const [set, deployment] = [withContainer(list, 'DaemonSet', /^nfs$/), withContainer(list, 'Deployment', /^nfs$/)]
  const flagsOf = (workload: KubeObject) => {
    const container = listAt(podOf(workload), 'containers').find(one => textAt(one, 'name') === 'nfs')
    return new Map(flagsIn(listAt(container, 'args')).map(({ name, values }) => [name, values.join()]))
  }
  const [flags, told] = [flagsOf(set), flagsOf(deployment)]
  const permissions = Number(flags.get('mount-permissions'))
  return {
    node: { ...placing(set), updateStrategy: at(set, 'spec', 'updateStrategy'), folders: folders(set, /./) },
    controller: {
      ...placing(deployment),
      replicas: numberAt(deployment, 'spec', 'replicas'),
      strategy: at(deployment, 'spec', 'strategy', 'type'),
    },
    config: {
      driverName: flags.get('drivername'),
      mountPermissions: permissions === 0 ? '0' : `0${permissions.toString(8)}`,
      workingMountDir: told.get('working-mount-dir'),
      defaultOnDeletePolicy: told.get('default-ondelete-policy'),
      useTarCommandInSnapshot: told.get('use-tar-command-in-snapshot') === 'true',
      snapshotCompression: told.get('enable-snapshot-compression') === 'false' ? 'none' : 'gzip',
      snapshots: listAt(podOf(deployment), 'containers').some(one => textAt(one, 'name') === 'csi-snapshotter'),
      snapshotController: list.some(({ metadata, kind }) => kind === 'Deployment' && metadata.name === 'snapshot-controller'),
    },
  }
}

function ourFacts(list: readonly KubeObject[]): Facts {
  const [set, deployment] = [withContainer(list, 'DaemonSet', /^nfs$/), withContainer(list, 'Deployment', /^nfs-controller$/)]
  const text = list.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.namespace === 'ballast-agent')
  const section = valueAt(parse(textAt(text, 'data', 'config.yaml') ?? ''), ['capabilities', 'nfs'])
  const { workingMountDir, defaultOnDeletePolicy, useTarCommandInSnapshot, snapshotCompression } = Object(
    at(section, 'controller'),
  )
  return {
    node: { ...placing(set), updateStrategy: at(set, 'spec', 'updateStrategy'), folders: folders(set, /./) },
    controller: {
      ...placing(deployment),
      replicas: numberAt(deployment, 'spec', 'replicas'),
      strategy: at(deployment, 'spec', 'strategy', 'type'),
    },
    config: {
      driverName: at(section, 'driverName'),
      mountPermissions: at(section, 'mountPermissions'),
      workingMountDir,
      defaultOnDeletePolicy,
      useTarCommandInSnapshot,
      snapshotCompression,
      snapshots: at(section, 'controller', 'snapshots', 'enabled'),
      snapshotController: at(section, 'controller', 'snapshots', 'controller'),
    },
  }
}

describe.each(Object.entries(renders))('%s', (title, rendered) => {
  const [version = '', name = ''] = title.split(': ')
  const theirs = Object.values(rendered)
  const given = cases[name] ?? {}

  test('values converted give the same', () => {
    const { values, report } = replaced.convert({ values: given, version, namespace: 'csi-nfs' })
    const lost = report.filter(({ kind }) => kind === 'lost' || kind === 'unknown' || kind === 'changed').map(({ from }) => from)
    expect(lost).toEqual([])
    const made = ours(values)
    expect(ourFacts(made)).toEqual(theirFacts(theirs))
    expect(ofCluster(made)).toEqual(ofCluster(theirs))
  })

  test('so does what runs', () => {
    const workload = withContainer(theirs, 'DaemonSet', /^nfs$/)
    const { values, report, isLossy } = replaced.convertWorkload({ ...workload }, { beside: theirs, namespace: 'csi-nfs' })
    expect([isLossy, report.filter(({ kind }) => kind !== 'carried' && kind !== 'dropped')]).toEqual([false, []])
    const made = ours(values)
    expect(ourFacts(made)).toEqual(theirFacts(theirs))
    expect(ofCluster(made).driver).toEqual(ofCluster(theirs).driver)
  })
})
