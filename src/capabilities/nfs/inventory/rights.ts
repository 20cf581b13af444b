// What the inventory of shares may: to write its report, and nothing else.

import type { Permission } from '#coordination/needs.ts'
import { nfsInventoryName } from '#coordination/shown-notes.ts'
import type { NfsConfig } from '../config.ts'

export function inventoryPermissions({ controller }: NfsConfig): readonly Permission[] {
  if (!controller.inventory.enabled) return []
  const report = { groups: [''], resources: ['configmaps'], scope: 'agent-namespace' } as const
  const because = 'notes which folders and archives of shares belong to nobody'
  return [
    { ...report, verbs: ['create'], because },
    { ...report, verbs: ['patch'], names: [nfsInventoryName], because },
  ]
}
