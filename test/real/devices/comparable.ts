// What ours answers otherwise than upstream's plugins on purpose, made the same.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PluginAnswer } from './plugin-answers.ts'
import type { PluginCase } from './plugin-cases.ts'

/** Ours answers more, and says no NUMA node where none is known. */
export function comparable(answer: PluginAnswer, { program }: PluginCase, theirs: PluginAnswer): PluginAnswer {
  if (program === 'intel-gpu-plugin') return answer
  const resources = Object.entries(answer.resources).map(([name, resource]) => {
    const devices = resource.devices.map(one => ({ ...one, numa: one.numa.filter(node => node !== -1) }))
    // Upstream's has no preference for NPUs, and none for GPUs without links.
    const isAsked = (theirs.resources[name]?.preferred.length ?? 0) > 0
    return [name, { ...resource, devices, preferred: isAsked ? resource.preferred : [] }]
  })
  return { ...answer, resources: Object.fromEntries(resources) }
}

/** Upstream writes a file for CDI when a card is first given away, ours as soon as it is there. */
export function withoutUnused(own: PluginAnswer, theirs: PluginAnswer): PluginAnswer {
  return { ...own, cdi: Object.fromEntries(Object.entries(own.cdi).filter(([file]) => Object.hasOwn(theirs.cdi, file))) }
}

/** What upstream's plugins answered, by the names of machines. */
export function recordedAnswers(file: 'plugin-answers' | 'amd-answers'): Readonly<Record<string, PluginAnswer>> {
  const path = join(import.meta.dirname, '..', '..', 'fixtures', 'devices', `${file}.json`)
  return JSON.parse(readFileSync(path, 'utf8')).answers
}
