// What a container gets of a device, as the Container Device Interface says it: one file a device.

import type { FoundDevice } from '../discovery/found-device.ts'

/** What a device is called: containers get it by `kind=name`. */
export interface CdiName {
  readonly kind: string
  readonly name: string
}

const pluginKind = 'intel.cdi.k8s.io/gpu'
/** The lowest versions that have what is used: older runtimes refuse newer files. */
const versions = { usual: '0.5.0', groups: '0.7.0' } as const

/** GPUs of Intel have the name and the file that its plugin gives them; NPUs, and GPUs of Windows, have none there, and need none. */
export function pluginCdi(
  device: Pick<FoundDevice, 'id' | 'vendor' | 'kind' | 'environment'>,
): (CdiName & { readonly file: string }) | undefined {
  if (device.vendor !== 'intel' || device.kind !== 'gpu' || device.environment !== undefined) return undefined
  return { kind: pluginKind, name: device.id, file: `${pluginKind.replace('/', '-')}-${device.id}.yaml` }
}
/** Whether a file is of a plugin of ours, or of Intel's. */
export const isPluginFile = (file: string): boolean => /^intel\.cdi\.k8s\.io-gpu-card\d+\.yaml$/.test(file)

const draPrefix = 'ballast-claims-'
/** The file of a device that claims give away. */
export const draCdiFile = ({ kind, name }: CdiName): string => `${draPrefix}${kind.replace('/', '-')}-${name}.yaml`
/** Whether a file is of a driver of ours. */
export const isDraFile = (file: string): boolean => file.startsWith(draPrefix) && file.endsWith('.yaml')

/** The content of the file. With `groups` the processes of a container are in the groups that may open its devices. */
export function cdiSpec(
  { nodes, mounts }: Pick<FoundDevice, 'nodes' | 'mounts'>,
  { kind, name }: CdiName,
  groups: boolean,
): object {
  const owners = [...new Set(nodes.map(({ group }) => group).filter(group => group > 0))].sort((left, right) => left - right)
  const hasGroups = groups && owners.length > 0
  return {
    cdiVersion: hasGroups ? versions.groups : versions.usual,
    kind,
    devices: [
      {
        name,
        containerEdits: {
          deviceNodes: nodes.map(({ path }) => ({ path, hostPath: path, permissions: 'rw' })),
          ...(mounts.length === 0
            ? {}
            : {
                mounts: mounts.map(path => ({
                  containerPath: path,
                  hostPath: path,
                  type: 'none',
                  options: ['bind', 'ro'],
                })),
              }),
          ...(hasGroups ? { additionalGids: owners } : {}),
        },
      },
    ],
  }
}
