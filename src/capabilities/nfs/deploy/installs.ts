// NFS as what this capability installs.
import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import { nfsObjects } from './nfs-objects.ts'
import { nfsProblems } from './nfs-problems.ts'
import { nfsSchema } from './nfs-values.ts'

export const installs: CapabilityObjects = {
  block: { name: 'nfs', values: nfsSchema, accounts: ['nfsAccount', 'nfsControllerAccount'] },
  problems: nfsProblems,
  objects: nfsObjects,
}
