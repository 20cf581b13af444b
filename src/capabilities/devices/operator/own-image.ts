// GPUs and NPUs served by Ballast's image in the DaemonSet of an object. The container has upstream's arguments and mounts, so that nothing else
// changes, and an operator of Intel that comes after finds a DaemonSet that it brings to its own image.

import type { KubeObject } from '#kube/objects/objects.ts'
import type { PluginContainer } from './daemon-set.ts'
import type { OperatorSettings } from './operator-settings.ts'
import { type DeviceName, isOwnDevice } from './plugin-kinds.ts'

/** On an object with the value `true`: its image stays, whatever the settings say. */
const keepImageAnnotation = 'ballast.dev/keep-image'

/** The variable by which a container of ours is told from upstream's; by it the program knows which plugin it is, since arguments are upstream's. */
export function ownMark(device: DeviceName): string {
  return `BALLAST_INTEL_${device.toUpperCase()}_PLUGIN`
}

export function isOwnImage(device: DeviceName, { metadata }: KubeObject, { images }: Pick<OperatorSettings, 'images'>): boolean {
  return images === 'own' && isOwnDevice(device) && metadata.annotations?.[keepImageAnnotation] !== 'true'
}

/** A process of Node takes more memory than one of Go, and begins with more work than a tenth of a processor does in time. */
const amounts = { requests: { cpu: '40m', memory: '96Mi' }, limits: { memory: '192Mi' } } as const

/** `container` with our program: it is root, to whom the kubelet's folder belongs, as upstream's image is by itself. */
export function inOwnImage(
  container: PluginContainer,
  device: DeviceName,
  { ownImage }: Pick<OperatorSettings, 'ownImage'>,
): PluginContainer {
  const security = container['securityContext']
  return {
    ...container,
    image: ownImage,
    env: [...(container.env ?? []), { name: ownMark(device), value: 'true' }],
    resources: amounts,
    securityContext: { ...(typeof security === 'object' ? security : {}), runAsUser: 0, runAsGroup: 0 },
  }
}
