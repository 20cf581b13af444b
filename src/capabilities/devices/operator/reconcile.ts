// What is to be done for one object: images that are brought up to what is served, its DaemonSet, its status. State goes in, and everything that is
// to be written comes out, with the reason where there is nothing. Pure.

import { isDeepStrictEqual } from 'node:util'
import { freezeOf } from '#coordination/freeze.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { DaemonSet } from './daemon-set.ts'
import type { OperatorSettings } from './operator-settings.ts'
import { upgradedImage } from './plugin-images.ts'
import { kindOf, pluginGroup } from './plugin-kinds.ts'
import { type PluginStatus, statusOf } from './plugin-schema.ts'
import { brought, daemonSetName, type PluginObject, wantedDaemonSet } from './wanted-daemon-set.ts'

interface Surroundings {
  /** All that are known. */
  readonly daemonSets: readonly DaemonSet[]
  /** Pods that may be of its DaemonSet. */
  readonly pods: readonly Pod[]
  readonly settings: OperatorSettings
  readonly nowMs: number
}

type DaemonSetChange =
  | { readonly kind: 'create'; readonly object: DaemonSet }
  /** Under the version that was read. */
  | { readonly kind: 'update'; readonly object: DaemonSet; readonly differs: readonly string[] }
  | { readonly kind: 'keep'; readonly reason: string }
  /** It cannot be, until somebody does something. */
  | { readonly kind: 'refuse'; readonly reason: string }

export interface Decision {
  /** Images of the object that are to be others. */
  readonly images: { readonly image?: string; readonly initImage?: string } | undefined
  readonly daemonSet: DaemonSetChange
  readonly status: PluginStatus | undefined
}

const nothing = { images: undefined, status: undefined } as const

/** Decides about `plugin`. What was read twice is decided alike: whoever is killed is followed by another that goes on. */
export function reconcilePlugin(plugin: PluginObject, around: Surroundings): Decision {
  const { object } = plugin
  if (isSet(object.metadata.deletionTimestamp))
    return { ...nothing, daemonSet: { kind: 'keep', reason: 'the object is being deleted, and its DaemonSet goes with it' } }
  const images = newImages(plugin, around.settings)
  const upgraded: PluginObject = images === undefined ? plugin : { ...plugin, spec: { ...plugin.spec, ...images } }
  const found = ownedBy(upgraded, around)
  if (found === undefined) return { ...nothing, images, daemonSet: creation(upgraded, around) }
  return {
    images,
    daemonSet: bringing(upgraded, found, around),
    status: newStatus(object, found, around.pods),
  }
}

const isSet = (time: unknown) => time !== undefined && time !== null

function newImages({ spec }: PluginObject, { imageOverrides }: OperatorSettings): Decision['images'] {
  const upgraded = (image: string | undefined) => {
    if (image === undefined || image === '') return undefined
    const next = upgradedImage(image, imageOverrides)
    return next === image ? undefined : next
  }
  const image = upgraded(spec.image)
  const initImage = upgraded(spec.initImage)
  if (image === undefined && initImage === undefined) return undefined
  return { ...(image === undefined ? {} : { image }), ...(initImage === undefined ? {} : { initImage }) }
}

/** The object that a DaemonSet is of, by the reference that says who controls it. */
export function controllerOf({ metadata }: KubeObject) {
  return metadata.ownerReferences?.find(({ controller }) => controller === true)
}

/** The one that is called as it is to be comes before others. One whose owner had another UID goes with that one. */
function ownedBy(plugin: PluginObject, { daemonSets, settings }: Surroundings): DaemonSet | undefined {
  const { device, object } = plugin
  const isOwned = (one: DaemonSet) => {
    const owner = controllerOf(one)
    return (
      owner !== undefined &&
      owner.kind === kindOf(device) &&
      owner.apiVersion.startsWith(`${pluginGroup}/`) &&
      owner.name === object.metadata.name &&
      owner.uid === object.metadata.uid
    )
  }
  const name = daemonSetName(plugin)
  const rank = ({ metadata }: DaemonSet) => (metadata.name === name ? 0 : 2) + (metadata.namespace === settings.namespace ? 0 : 1)
  const owned = daemonSets.filter(one => isOwned(one) && !isSet(one.metadata.deletionTimestamp))
  return owned.toSorted((a, b) => rank(a) - rank(b) || (placeOf(a) < placeOf(b) ? -1 : 1))[0]
}

const placeOf = ({ metadata }: KubeObject) => `${metadata.namespace ?? ''}/${metadata.name}`

function creation(plugin: PluginObject, { daemonSets, settings }: Surroundings): DaemonSetChange {
  const { object } = plugin
  const name = daemonSetName(plugin)
  const other = daemonSets.find(({ metadata }) => metadata.name === name && metadata.namespace === settings.namespace)
  if (other !== undefined) {
    const owner = controllerOf(other)
    const isGoing = isSet(other.metadata.deletionTimestamp) || owner?.name === object.metadata.name
    return isGoing
      ? { kind: 'keep', reason: `DaemonSet ${placeOf(other)} of the object before it has to go first` }
      : {
          kind: 'refuse',
          reason: `a DaemonSet ${placeOf(other)} is there that is not its own: delete it, or give this object another name`,
        }
  }
  return { kind: 'create', object: wantedDaemonSet(plugin, settings) }
}

function bringing(plugin: PluginObject, found: DaemonSet, { settings, nowMs }: Surroundings): DaemonSetChange {
  const { daemonSet, differs } = brought(found, wantedDaemonSet(plugin, settings), plugin.device)
  if (differs.length === 0) return { kind: 'keep', reason: `DaemonSet ${placeOf(found)} is as it is to be` }
  const freeze = freezeOf(plugin.object, nowMs) ?? freezeOf(found, nowMs)
  if (freeze !== undefined)
    return {
      kind: 'refuse',
      reason: `${differs.join(', ')} of DaemonSet ${placeOf(found)} stay: ${freeze.where}: ${freeze.reason}`,
    }
  return { kind: 'update', object: daemonSet, differs }
}

function newStatus(object: KubeObject, found: DaemonSet, pods: readonly Pod[]): PluginStatus | undefined {
  const before = statusOf(object)
  const { metadata, status = {} } = found
  const reference =
    before?.controlledDaemonSet?.uid === metadata.uid && metadata.uid !== undefined
      ? before?.controlledDaemonSet
      : {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          name: metadata.name,
          ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
          ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
          ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
        }
  const nodes = nodesOf(found, pods)
  const known = before?.nodeNames ?? []
  // The order is upstream's own each time: what says the same is left as it stands.
  const nodeNames = isDeepStrictEqual(known.toSorted(), nodes) ? known : nodes
  const next: PluginStatus = {
    controlledDaemonSet: reference ?? {},
    ...(nodeNames.length === 0 ? {} : { nodeNames }),
    desiredNumberScheduled: status.desiredNumberScheduled ?? 0,
    numberReady: status.numberReady ?? 0,
  }
  return isDeepStrictEqual(next, before) ? undefined : next
}

/** Where its pods are, in the order of names. */
function nodesOf({ metadata }: DaemonSet, pods: readonly Pod[]): readonly string[] {
  const nodes = pods.flatMap(pod => {
    const owner = controllerOf(pod)
    const isItsOwn = owner?.kind === 'DaemonSet' && owner.name === metadata.name && pod.metadata.namespace === metadata.namespace
    const node = pod.spec?.nodeName ?? ''
    return isItsOwn && node !== '' ? [node] : []
  })
  return [...new Set(nodes)].sort()
}
