// Memory of this process against what it may have: near the end a process is better replaced while another can lead.
import { getHeapStatistics } from 'node:v8'
import type { Check } from '#coordination/capability.ts'

interface MemoryUse {
  readonly what: 'heap' | 'container'
  readonly usedBytes: number
  readonly limitBytes: number
}

const fullestShare = 0.95

/** What the host says: the heap against its limit, and the whole process against its container's, where it has one. */
export function memoryUses(): readonly MemoryUse[] {
  const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = getHeapStatistics()
  const heap = { what: 'heap', usedBytes, limitBytes } as const
  const containerBytes = process.constrainedMemory()
  // Without a limit of its own it says nothing, or more than any machine has.
  if (!(containerBytes > 0) || containerBytes > Number.MAX_SAFE_INTEGER) return [heap]
  return [heap, { what: 'container', usedBytes: process.memoryUsage.rss(), limitBytes: containerBytes }]
}

/** Fails from 95 % of a limit on. */
export function memoryCheck(uses: readonly MemoryUse[]): Check {
  const full = uses.find(({ usedBytes, limitBytes }) => usedBytes >= fullestShare * limitBytes)
  if (full === undefined) return { name: 'memory', ok: true }
  const percent = Math.floor((100 * full.usedBytes) / full.limitBytes)
  return { name: 'memory', ok: false, message: `${percent} % of what the ${full.what} may take is in use` }
}
