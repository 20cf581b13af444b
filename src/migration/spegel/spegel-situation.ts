// How Spegel and our mirror stand in a cluster right now: what the plan of their swap is made of. It is read, and nothing is written.

import { ownDeployment } from '#doctor/own-facts.ts'
import { listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { type GitopsOwner, gitopsOwner } from '#upstreams/gitops-owner.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import { convertSpegel } from '#upstreams/spegel/spegel-rows.ts'
import { spegelValues } from '#upstreams/spegel/spegel-values.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { swapLabel } from '../mirror-pin.ts'
import { isQuiet, listOf, type Reach } from '../situation.ts'

/** A DaemonSet as `kubectl` names it and its pods. */
export interface NodeSet {
  readonly daemonSet: KubeObject
  readonly namespace: string
  readonly name: string
  /** `a=b,c=d`: of its pods. */
  readonly selector: string
  /** Nodes that it is on. */
  readonly nodes: number
}

export interface SpegelState extends NodeSet {
  readonly owner: GitopsOwner | undefined
  readonly isOwnerQuiet: boolean
  readonly version: string | undefined
  readonly converted: ConvertedValues
  /** Of ours, as hosts files name them. */
  readonly ports: readonly number[]
  /** Services whose node port is one of ours: whoever asks the node there is led to them. */
  readonly inTheWay: readonly KubeObject[]
}

export interface OwnMirror {
  readonly namespace: string
  readonly release: string
  readonly owner: GitopsOwner | undefined
  /** Its Deployment. */
  readonly controller: KubeObject
  /** It is on nodes, or is to be. */
  readonly mirror: NodeSet | undefined
}

export interface MirrorSituation {
  readonly spegels: readonly SpegelState[]
  /** The controller; `undefined`: it is not installed. */
  readonly ours: OwnMirror | undefined
}

/** @throws ApiStatusError where something may not be read */
export async function readMirrorSituation(reach: Pick<Reach, 'api' | 'signal'>): Promise<MirrorSituation> {
  const { api, signal } = reach
  const [daemonSets, deployments, services] = await Promise.all([
    listOf(api, builtIn.daemonsets, 'DaemonSet', { signal }),
    listOf(api, builtIn.deployments, 'Deployment', { signal }),
    listOf(api, builtIn.services, 'Service', { signal }),
  ])
  const found = findUpstreams(daemonSets).filter(({ upstream, workload }) => upstream.name === 'Spegel' && isServing(workload))
  const spegels = await Promise.all(found.map(({ workload }) => spegelState(reach, workload, services)))
  const controller = ownDeployment(deployments)
  const mirror = daemonSets.find(
    ({ metadata: { labels = {} } }) =>
      labels['app.kubernetes.io/component'] === 'agent-mirror' && labels['app.kubernetes.io/part-of'] === 'ballast',
  )
  return { spegels, ours: controller === undefined ? undefined : ownMirror(controller, mirror) }
}

/** Not the one that tidies up after an uninstall. */
const isServing = ({ metadata }: KubeObject): boolean => metadata.labels?.['app.kubernetes.io/component'] !== 'cleanup'

async function spegelState(
  reach: Pick<Reach, 'api' | 'signal'>,
  daemonSet: KubeObject,
  services: readonly KubeObject[],
): Promise<SpegelState> {
  const owner = gitopsOwner(daemonSet)
  const { values, version } = spegelValues(daemonSet)
  const converted = convertSpegel({ values, version, namespace: daemonSet.metadata.namespace })
  const ports = listAt(converted.values, 'capabilities', 'mirror', 'ports').map(Number)
  const inTheWay = services.filter(
    service =>
      service.metadata.namespace === daemonSet.metadata.namespace &&
      listAt(service, 'spec', 'ports').some(port => ports.includes(numberAt(port, 'nodePort') ?? 0)),
  )
  return { ...nodeSet(daemonSet), owner, isOwnerQuiet: await isQuiet(reach, owner), version, converted, ports, inTheWay }
}

function ownMirror(controller: KubeObject, mirror: KubeObject | undefined): OwnMirror {
  const { namespace = 'default', labels = {} } = controller.metadata
  return {
    namespace,
    release: labels['app.kubernetes.io/instance'] ?? 'ballast',
    owner: gitopsOwner(controller),
    controller,
    mirror: mirror === undefined ? undefined : nodeSet(mirror),
  }
}

function nodeSet(daemonSet: KubeObject): NodeSet {
  const { namespace = 'default', name } = daemonSet.metadata
  const labels = Object.entries(Object(valueAt(daemonSet['spec'], ['selector', 'matchLabels'])))
  return {
    daemonSet,
    namespace,
    name,
    selector: labels.map(([key, value]) => `${key}=${String(value)}`).join(','),
    nodes: numberAt(daemonSet, 'status', 'currentNumberScheduled') ?? 0,
  }
}

/** Is ours on marked nodes only, by a swap that is under way? */
export const isHeldBack = (mirror: NodeSet | undefined): boolean =>
  valueAt(mirror?.daemonSet['spec'], ['template', 'spec', 'nodeSelector', swapLabel]) !== undefined

/** The DaemonSet's own affinity. */
export const affinityOf = ({ daemonSet }: NodeSet): unknown => valueAt(daemonSet['spec'], ['template', 'spec', 'affinity'])

/** How its pods are renewed, as a patch names it. */
export function strategyOf({ daemonSet }: NodeSet): object {
  const type = textAt(daemonSet, 'spec', 'updateStrategy', 'type')
  const rolling = valueAt(daemonSet['spec'], ['updateStrategy', 'rollingUpdate'])
  return type === 'OnDelete' ? { type } : { type: 'RollingUpdate', ...(rolling === undefined ? {} : { rollingUpdate: rolling }) }
}
