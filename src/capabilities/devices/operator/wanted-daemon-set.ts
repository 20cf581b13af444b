// The DaemonSet that an object asks for, and what of one that is there differs from it. Pure.

import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type DaemonSet, type PluginContainer, type PluginPodSpec, podOf, type Volume, withPod } from './daemon-set.ts'
import { preparationNames, preparationOf } from './init-containers.ts'
import type { OperatorSettings } from './operator-settings.ts'
import { inOwnImage, isOwnImage, ownMark } from './own-image.ts'
import { pluginArguments } from './plugin-arguments.ts'
import { upgradedImage } from './plugin-images.ts'
import { type DeviceName, kindOf, pluginGroup, pluginName, pluginVersion } from './plugin-kinds.ts'
import type { PluginSpec } from './plugin-schema.ts'
import { standardNodeSelector, templatePod } from './templates.ts'

/** An object that was read. */
export interface PluginObject {
  readonly device: DeviceName
  readonly object: KubeObject
  readonly spec: PluginSpec
}

/** `intel-gpu-plugin-<object>` */
export function daemonSetName({ device, object }: Pick<PluginObject, 'device' | 'object'>): string {
  return `${pluginName(device)}-${object.metadata.name}`
}

/** As it is made from nothing. */
export function wantedDaemonSet(plugin: PluginObject, settings: OperatorSettings): DaemonSet {
  const { device, object, spec } = plugin
  const { metadata } = object
  const labels = { app: pluginName(device) }
  const preparation = preparationOf(device, spec)
  const { container, volumes, rest } = templatePod(device, devicesOf(device, spec))
  const plain: PluginContainer = {
    ...container,
    args: pluginArguments(device, spec),
    // Admission gives an object an image; where nobody asked it, the DaemonSet has the same one.
    image: upgradedImage((spec.image ?? '') === '' ? (container.image ?? '') : (spec.image ?? ''), settings.imageOverrides),
  }
  const pod: PluginPodSpec = {
    ...rest,
    ...(preparation === undefined ? {} : { initContainers: [preparation.container] }),
    containers: [isOwnImage(device, object, settings) ? inOwnImage(plain, device, settings) : plain],
    volumes: [...volumes, ...(preparation?.volumes ?? [])],
    nodeSelector: selectorOf(device, spec),
    ...((spec.tolerations ?? []).length === 0 ? {} : { tolerations: spec.tolerations ?? [] }),
    ...(settings.imagePullSecret === '' ? {} : { imagePullSecrets: [{ name: settings.imagePullSecret }] }),
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: daemonSetName(plugin),
      namespace: settings.namespace,
      labels,
      ownerReferences: [
        {
          apiVersion: `${pluginGroup}/${pluginVersion}`,
          kind: kindOf(device),
          name: metadata.name,
          uid: metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      template: { metadata: { labels }, spec: pod },
    },
  }
}

/** The folder of a driver whose files do not lie where the template looks. */
function devicesOf(device: DeviceName, { driver }: PluginSpec): string | undefined {
  return device === 'dsa' && driver === 'vfio-pci' ? '/dev/vfio' : undefined
}

function selectorOf(device: DeviceName, { nodeSelector = {} }: PluginSpec): Readonly<Record<string, string>> {
  if (Object.keys(nodeSelector).length === 0) return standardNodeSelector
  // Upstream brings this one's back to the architecture whatever it says.
  return device === 'iaa' ? { ...nodeSelector, ...standardNodeSelector } : nodeSelector
}

interface Brought {
  readonly daemonSet: DaemonSet
  /** What was other than it is wanted, in words; none: nothing is to be written. */
  readonly differs: readonly string[]
}

/** `found` with what the object decides as `wanted` has it. What a person set besides (resources, labels, a priority) stays. */
export function brought(found: DaemonSet, wanted: DaemonSet, device: DeviceName): Brought {
  const now = podOf(found)
  const then = podOf(wanted)
  const [wantedMain] = then.containers
  const main = now.containers.find(({ name }) => name === wantedMain?.name) ?? now.containers[0]
  if (wantedMain === undefined || main === undefined) return { daemonSet: found, differs: [] }
  const differs: string[] = []
  const nextMain = mainContainer(main, wantedMain, ownMark(device), differs)
  const volumes = device === 'dsa' ? devicesMoved(now, then, differs) : (now.volumes ?? [])
  const prepared = preparation({ ...now, volumes }, then, device, differs)
  if (!isDeepStrictEqual(now.nodeSelector ?? {}, then.nodeSelector ?? {})) differs.push('nodeSelector')
  if (!isDeepStrictEqual(now.tolerations ?? [], then.tolerations ?? [])) differs.push('tolerations')
  if (differs.length === 0) return { daemonSet: found, differs }
  const { nodeSelector: _selector, tolerations: _tolerations, initContainers: _init, ...kept } = now
  const pod: PluginPodSpec = {
    ...kept,
    containers: now.containers.map(one => (one === main ? nextMain : one)),
    ...(prepared.initContainers.length === 0 ? {} : { initContainers: prepared.initContainers }),
    volumes: prepared.volumes,
    ...(then.nodeSelector === undefined ? {} : { nodeSelector: then.nodeSelector }),
    ...(then.tolerations === undefined ? {} : { tolerations: then.tolerations }),
  }
  return { daemonSet: withPod(found, pod), differs }
}

function mainContainer(now: PluginContainer, then: PluginContainer, mark: string, differs: string[]): PluginContainer {
  let next = now
  if (now.image !== then.image) {
    differs.push('image')
    next = { ...next, image: then.image ?? '' }
  }
  if ((now.args ?? []).join(' ') !== (then.args ?? []).join(' ')) {
    differs.push('args')
    next = { ...next, args: then.args ?? [] }
  }
  const isMarked = ({ env = [] }: PluginContainer) => env.some(({ name }) => name === mark)
  const isOwn = isMarked(then)
  if (isMarked(now) === isOwn) return next
  differs.push('program')
  // Another program takes another amount of memory, and another user.
  const { env: _env, ...rest } = next
  const others = (now.env ?? []).filter(({ name }) => name !== mark)
  const env = isOwn ? [...others, ...(then.env ?? []).filter(({ name }) => name === mark)] : others
  return {
    ...rest,
    ...(env.length === 0 ? {} : { env }),
    ...(then.resources === undefined ? {} : { resources: then.resources }),
    securityContext: then['securityContext'],
  }
}

/** The volume with the device files: another driver has them elsewhere. */
function devicesMoved({ volumes = [] }: PluginPodSpec, then: PluginPodSpec, differs: string[]): readonly Volume[] {
  const wanted = then.volumes?.find(({ name }) => name === 'devfs')
  if (wanted === undefined || volumes.every(one => one.name !== wanted.name || says(wanted, one))) return volumes
  differs.push('volumes')
  return volumes.map(one => (one.name === wanted.name ? wanted : one))
}

function preparation(now: PluginPodSpec, then: PluginPodSpec, device: DeviceName, differs: string[]) {
  const names = preparationNames(device)
  const { initContainers = [], volumes = [] } = now
  const wanted = then.initContainers?.find(({ name }) => name === names.container)
  const found = initContainers.find(({ name }) => name === names.container)
  const wantedVolumes = (then.volumes ?? []).filter(({ name }) => names.volumes.includes(name))
  const isSame =
    wanted === undefined
      ? found === undefined
      : found !== undefined && says(wanted, found) && wantedVolumes.every(one => isAmong(one, volumes))
  if (isSame) return { initContainers, volumes }
  differs.push('initContainers')
  // Containers that others put in stay.
  const others = initContainers.filter(({ name }) => name !== names.container)
  return {
    initContainers: wanted === undefined ? others : [...others, wanted],
    volumes: [...volumes.filter(({ name }) => !names.volumes.includes(name)), ...wantedVolumes],
  }
}

const isAmong = (wanted: Volume, volumes: readonly Volume[]) => volumes.some(one => one.name === wanted.name && says(wanted, one))

/** Whether `found` says all that `wanted` does: an API server adds what nobody said. */
function says(wanted: unknown, found: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(found) && found.length === wanted.length && wanted.every((one, at) => says(one, found[at]))
  if (typeof wanted !== 'object' || wanted === null) return wanted === found
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(wanted).every(([key, value]) => value === undefined || says(value, Reflect.get(found, key)))
}
