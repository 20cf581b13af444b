// What a container gets of a device, as the Container Device Interface says it: one file a device, named as Intel's plugin names it.

import type { FoundDevice } from '../discovery/found-device.ts'

const kind = 'intel.cdi.k8s.io/gpu'
/** The lowest versions that have what is used: older runtimes refuse newer files. */
const versions = { usual: '0.5.0', groups: '0.7.0' } as const

/** A file's name ends with the device's. */
export const cdiFile = (id: string): string => `${kind.replace('/', '-')}-${id}.yaml`
/** The device that such a file is of; `undefined` for files of others. */
export const deviceOfFile = (name: string): string | undefined => ownFile.exec(name)?.[1]
const ownFile = /^intel\.cdi\.k8s\.io-gpu-(card\d+)\.yaml$/

/** The content of the file. With `groups` the processes of a container are in the groups that may open its devices. */
export function cdiSpec({ id, nodes, mounts }: Pick<FoundDevice, 'id' | 'nodes' | 'mounts'>, groups: boolean): object {
  const owners = [...new Set(nodes.map(({ group }) => group).filter(group => group > 0))].sort((left, right) => left - right)
  const hasGroups = groups && owners.length > 0
  return {
    cdiVersion: hasGroups ? versions.groups : versions.usual,
    kind,
    devices: [
      {
        name: id,
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
